// Where each task and each thread of a player is right now.

import { get } from "./api.js";
import { button, element } from "./dom.js";
import { copyText } from "./log.js";
import { notice } from "./notices.js";
import { plural, timeOfDay } from "./words.js";

export class StackView {
  constructor({ path, node, tools, tell }) {
    this.path = path;
    this.node = node;
    this.tell = tell;
    this.closed = false;
    tools.append(button("Look again", () => this.load()), button("Copy", () => this.copy()));
    this.load();
  }

  async load() {
    this.failed = false;
    try {
      const { places, time } = await get("stack", { path: this.path });
      if (this.closed) return;
      this.node.replaceChildren(...places.map(partOf));
      this.tell(`${plural(places.length, "place")} at ${timeOfDay(time)}`);
      if (!places.length) this.node.append(element("p", "remark", "Nothing of it plays."));
    } catch (error) {
      if (this.closed) return;
      this.failed = true;
      this.node.replaceChildren(element("p", "remark", error.message));
      this.tell("");
    }
  }

  async copy() {
    const parts = [...this.node.querySelectorAll(".place")];
    const texts = parts.map((part) => [...part.children].map((one) => one.textContent).join("\n"));
    await copyText(texts.join("\n\n"), this.node);
    notice("Stack copied");
  }

  close() {
    this.closed = true;
  }
}

function partOf({ path, what, name, where }) {
  const part = element("section", "place");
  const title = what === "player" ? path || "all" : `${path || "all"} · ${what} ${name}`;
  part.append(element("h3", "", title), element("pre", "", where));
  return part;
}
