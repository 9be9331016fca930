// What is told of a player: first what is kept, then what comes, with nothing lost in between.

import { get } from "./api.js";
import { Stream } from "./stream.js";

export class Feed {
  /** `question` is what to ask for first: its name and its parameters.
   *
   * `on` has `first(answer)`, `entries(entries, missed)` and `failed(error)`.
   */
  constructor(path, [name, parameters], on) {
    this.path = path;
    this.on = on;
    this.closed = false;
    this.stream = null;
    this.last = null;
    get(name, { path, ...parameters }).then(
      (answer) => {
        if (this.closed) return;
        on.first(answer);
        this.last = answer.resume;
        if (!document.hidden) this.wake();
      },
      (error) => this.closed || on.failed(error),
    );
  }

  wake() {
    if (this.stream || this.closed || this.last === null) return;
    this.stream = new Stream((resume) => this.address(resume), {
      event: (name, data) => {
        if (name !== "entries") return;
        this.last = data.resume;
        this.on.entries(data.entries, data.missed);
      },
    });
  }

  address(resume) {
    const asked = { path: this.path, players: false, entries: true, resume: resume ?? this.last };
    return `stream?${new URLSearchParams(asked)}`;
  }

  sleep() {
    this.stream?.close();
    this.stream = null;
  }

  retry() {
    this.stream?.retry();
  }

  close() {
    this.closed = true;
    this.sleep();
  }
}
