// Server-sent events, read with fetch: an EventSource can't show a token.

import { ApiError, open } from "./api.js";

const SILENCE = 6_000; // milliseconds without a sign of life; the program gives one every two seconds
const DELAYS = [250, 500, 1_000, 2_000, 4_000];
const REFUSALS = [401, 403, 404]; // no use in asking again

/** Follows a stream for as long as it is open, over all losses of contact.
 *
 * `address(resume)` is what to ask for, after the last id that came; `on` has `event(name, data)`,
 * `sign()` for each sign of life, `lost()` when contact is lost, and `refused(error)` at the end.
 */
export class Stream {
  constructor(address, on) {
    this.address = address;
    this.on = on;
    this.resume = null;
    this.closed = false;
    this.attempt = 0;
    this.wake = null;
    this.abort = null;
    this.run();
  }

  close() {
    this.closed = true;
    this.abort?.abort();
    this.wake?.();
  }

  /** Do not wait for the next try. */
  retry() {
    this.wake?.();
  }

  async run() {
    while (!this.closed) {
      try {
        await this.read();
      } catch (error) {
        if (this.closed) return;
        if (error instanceof ApiError && REFUSALS.includes(error.status)) {
          this.closed = true;
          this.on.refused?.(error);
          return;
        }
      }
      if (this.closed) return;
      this.on.lost?.();
      await this.pause();
    }
  }

  pause() {
    const delay = DELAYS[Math.min(this.attempt++, DELAYS.length - 1)];
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }

  async read() {
    this.abort = new AbortController();
    let watchdog = setTimeout(() => this.abort.abort(), SILENCE);
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => this.abort.abort(), SILENCE);
    };
    try {
      const headers = { Accept: "text/event-stream" };
      const response = await open(this.address(this.resume), { headers, signal: this.abort.signal });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new Parser();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.closed) return;
        alive();
        this.attempt = 0;
        this.on.sign?.();
        for (const message of parser.feed(value)) this.take(message);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  take({ name, id, data }) {
    if (id !== null) this.resume = id;
    if (data && !this.closed) this.on.event(name, JSON.parse(data));
  }
}

/** The text of a stream, in whatever pieces it comes, as messages. */
export class Parser {
  constructor() {
    this.rest = "";
    this.message = blank();
  }

  *feed(text) {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line) {
        this.take(line);
      } else {
        yield { ...this.message, data: this.message.data.join("\n") };
        this.message = blank();
      }
    }
  }

  take(line) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.message.name = value;
    else if (field === "id") this.message.id = value;
    else if (field === "data") this.message.data.push(value);
  }
}

const blank = () => ({ name: "message", id: null, data: [] });
