// The lower part: the log, the events, the stack and the settings of the selected player, or of all.

import { Spot, byId } from "./dom.js";
import { EventsView } from "./events.js";
import { LogView } from "./log.js";
import { makeButtons } from "./row.js";
import { SettingsView } from "./settings.js";
import { StackView } from "./stack.js";

const VIEWS = { log: LogView, events: EventsView, stack: StackView, settings: SettingsView };
const NAMES = Object.keys(VIEWS);
const PAUSE = 120; // milliseconds: who runs through the table does not ask for each log on the way

export class Pane {
  /** `on` has `command(name, row)`. */
  constructor(tree, on) {
    this.tree = tree;
    this.path = null;
    this.tab = "log";
    this.view = null;
    this.kept = {}; // what the views want to find again
    this.timer = null;
    this.whose = new Spot(byId("whose"));
    this.about = new Spot(byId("told"));
    this.buttons = makeButtons();
    for (const node of this.buttons.nodes) node.removeAttribute("tabindex");
    byId("selected-actions").append(...this.buttons.nodes);
    byId("selected-actions").addEventListener("click", (event) => {
      const row = this.tree.rows.get(this.path);
      const command = event.target.closest("[data-command]")?.dataset.command;
      if (row && command) on.command(command, row);
    });
    for (const name of NAMES) byId(`tab-${name}`).addEventListener("click", () => this.show(name));
    document.querySelector("[role=tablist]").addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("visibilitychange", () => {
      // A browser has six connections for all tabs of one program; a hidden tab leaves one free.
      if (document.hidden) this.view?.feed?.sleep();
      else this.view?.feed?.wake();
    });
  }

  select(path) {
    if (path === this.path && this.view) return;
    this.path = path;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.show(this.tab), PAUSE);
    this.showActions();
  }

  showActions() {
    const row = this.tree.rows.get(this.path);
    byId("selected-actions").hidden = !row;
    if (row) this.buttons.show(row, this.tree, false);
  }

  show(name) {
    clearTimeout(this.timer);
    this.tab = name;
    for (const one of NAMES) {
      const tab = byId(`tab-${one}`);
      tab.setAttribute("aria-selected", one === name);
      tab.tabIndex = one === name ? 0 : -1;
    }
    byId("view").setAttribute("aria-labelledby", `tab-${name}`);
    this.view?.close();
    byId("view").replaceChildren();
    byId("pane-tools").replaceChildren();
    this.view = new VIEWS[name]({
      path: this.path ?? "",
      row: this.tree.rows.get(this.path ?? ""),
      node: byId("view"),
      tools: byId("pane-tools"),
      kept: this.kept,
      tell: (text) => this.tell(text),
    });
  }

  /** Beside the tabs: who is looked at, and what the view says of itself. */
  tell(text) {
    const whose = this.path ?? "all players";
    this.whose.show(text ? `${whose} · ` : whose, this.path === null ? "all" : "");
    this.about.show(text);
  }

  /** The program is back: ask again for what could not be had. */
  regained() {
    if (!this.view || this.view.failed) this.show(this.tab);
    else this.view.feed?.retry();
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const place = (NAMES.indexOf(this.tab) + step + NAMES.length) % NAMES.length;
    this.show(NAMES[place]);
    byId(`tab-${this.tab}`).focus();
    event.preventDefault();
  }

  showPlace(number) {
    this.show(NAMES[number]);
  }
}
