// What the page has to say itself: a banner for its contact, and notices that go by.

import { Spot, button, byId, element } from "./dom.js";

const STAYS = 8_000; // milliseconds

export class Banner {
  constructor() {
    this.node = byId("banner");
    this.what = new Spot(element("strong"));
    // It counts up, and is not to be read out each second.
    this.ago = new Spot(element("span", "ago"));
    this.ago.node.setAttribute("aria-hidden", "true");
    this.more = new Spot(element("span"));
    this.buttons = element("span", "tools");
    const text = element("span", "words");
    text.append(this.what.node, this.ago.node, this.more.node);
    this.node.append(text, this.buttons);
    this.labels = "";
  }

  show({ what, ago = "", more = "", actions = [], tone = "" }) {
    this.node.hidden = false;
    this.node.className = `banner ${tone}`;
    this.what.show(what);
    this.ago.show(ago);
    this.more.show(more);
    const labels = actions.map(([label]) => label).join();
    if (labels === this.labels) return;
    this.labels = labels;
    this.buttons.replaceChildren(...actions.map(([label, act]) => button(label, act)));
  }

  hide() {
    this.node.hidden = true;
  }
}

/** Say something for some seconds. */
export function notice(text, tone = "") {
  const node = element("p", `notice ${tone}`, text);
  const close = button("×", () => node.remove());
  close.ariaLabel = "Close";
  node.append(close);
  byId("notices").append(node);
  setTimeout(() => node.remove(), STAYS);
}
