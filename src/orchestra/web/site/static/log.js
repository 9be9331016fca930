// The log of a player, and of all below it.

import { byId, button, element } from "./dom.js";
import { Feed } from "./feed.js";
import { Line, lineOf } from "./line.js";
import { notice } from "./notices.js";
import { plural } from "./words.js";

const MOST = 2_000; // lines that are kept here; the program keeps its own

export class LogView {
  /** `kept` outlives this view: who filters the log of one player does so in that of the next. */
  constructor({ path, node, tools, tell, kept }) {
    this.path = path;
    this.node = node;
    this.tell = tell;
    this.kept = kept;
    this.lines = [];
    this.coming = []; // what has come, and is not shown yet
    this.following = true;
    this.byScrolling = false;
    this.frame = 0;
    this.list = element("div", "log");
    this.list.setAttribute("role", "log");
    node.append(this.list);
    node.onscroll = () => this.scrolled();
    this.top = 0; // where it was scrolled to from here
    this.sizes = new ResizeObserver(() => this.following && this.toEnd());
    this.sizes.observe(node);
    this.makeTools(tools);
    this.load();
  }

  makeTools(tools) {
    this.filter = element("input", "log-filter");
    Object.assign(this.filter, { type: "search", placeholder: "Filter lines", ariaLabel: "Filter lines" });
    this.filter.value = this.kept.filter ?? "";
    this.filter.addEventListener("input", () => this.setFilter());
    this.previousButton = button("Previous run", () => this.togglePrevious(), "toggle");
    this.previousButton.setAttribute("aria-pressed", String(this.previous));
    this.pauseButton = button("Pause", () => this.togglePause(), "pause");
    tools.append(this.filter, this.previousButton, this.pauseButton, button("Copy", () => this.copy()));
  }

  get previous() {
    return this.kept.previous ?? false;
  }

  get words() {
    return this.filter.value.trim().toLowerCase();
  }

  load() {
    this.feed?.close();
    this.failed = false;
    this.coming = [];
    this.clear();
    this.tell("");
    const runs = this.previous ? "both" : "current";
    this.feed = new Feed(this.path, ["lines", { runs, limit: 1_000 }], {
      first: ({ lines }) => {
        this.list.classList.add("loaded");
        this.coming = lines;
        this.append(); // paused or not
        this.sayState();
      },
      entries: (entries, missed) => this.take([...(missed ? [GAP] : []), ...entries.map(lineOf).filter(Boolean)]),
      failed: (error) => {
        this.failed = true;
        this.list.replaceChildren(element("p", "remark", error.message));
        this.tell("");
      },
    });
  }

  clear() {
    this.lines = [];
    this.runs = new Map();
    this.list.replaceChildren();
  }

  take(found) {
    this.coming.push(...found);
    if (this.coming.length > MOST) this.coming.splice(0, this.coming.length - MOST);
    // As many as come until the next picture, at once.
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frame = 0;
    if (this.following) this.append();
    this.sayState();
  }

  append() {
    const made = this.coming.map((line) => new Line(line, this.path));
    this.coming = [];
    const all = document.createDocumentFragment();
    const words = this.words;
    for (const line of made) {
      line.match(words);
      all.append(line.node);
    }
    this.lines.push(...made);
    for (const old of this.lines.splice(0, Math.max(0, this.lines.length - MOST))) old.node.remove();
    this.list.append(all);
    if (this.previous) this.dimPrevious(made);
    this.toEnd();
  }

  toEnd() {
    this.node.scrollTop = this.node.scrollHeight;
    this.top = this.node.scrollTop;
  }

  /** Lines of a run that has a later one are of a previous run. */
  dimPrevious(made) {
    let later = false;
    for (const { path, run } of made) {
      if (run > (this.runs.get(path) ?? run)) later = true;
      this.runs.set(path, Math.max(run, this.runs.get(path) ?? run));
    }
    const looked = later ? this.lines : made;
    for (const line of looked) line.node.classList.toggle("previous", line.run < this.runs.get(line.path));
  }

  sayState() {
    const count = this.coming.length;
    const held = count ? `, ${count === MOST ? "at least " : ""}${plural(count, "new line")}` : "";
    this.tell(this.following ? "following" : `paused${held}`);
    this.pauseButton.textContent = this.following ? "Pause" : "Follow";
  }

  togglePause() {
    this.setFollowing(!this.following, false);
  }

  setFollowing(following, byScrolling) {
    this.following = following;
    this.byScrolling = !following && byScrolling;
    this.draw();
  }

  /** Who scrolls up wants to read; who scrolls back down again wants to follow. */
  scrolled() {
    const atEnd = this.node.scrollTop + this.node.clientHeight >= this.node.scrollHeight - 4;
    // What has grown or shrunk around it has scrolled nothing.
    if (this.following && !atEnd && this.node.scrollTop < this.top - 1) this.setFollowing(false, true);
    else if (this.byScrolling && atEnd) this.setFollowing(true, false);
  }

  togglePrevious() {
    this.kept.previous = !this.previous;
    this.previousButton.setAttribute("aria-pressed", String(this.previous));
    this.load();
  }

  setFilter() {
    this.kept.filter = this.filter.value;
    const words = this.words;
    for (const line of this.lines) line.match(words);
    if (this.following) this.toEnd();
  }

  async copy() {
    const shown = this.lines.filter((line) => !line.node.hidden);
    await copyText(shown.map((line) => line.text).join("\n"), this.list);
    notice(`${plural(shown.length, "line")} copied`);
  }

  close() {
    this.feed.close();
    this.sizes.disconnect();
    cancelAnimationFrame(this.frame);
    this.node.onscroll = null;
  }
}

const GAP = { type: "gap" };

/** Put a text on the clipboard; `node` is what it says, for browsers that only copy what is selected. */
export async function copyText(text, node) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  getSelection().selectAllChildren(node); // there is no clipboard for a page from afar without TLS
  document.execCommand("copy");
}
