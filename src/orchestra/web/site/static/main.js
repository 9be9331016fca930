// The live page: what plays, how it is, and what can be done about it.
//
// api, stream     what comes from the program, and goes to it
// tree, outline   the players, and which of them are shown
// grid, row       the table
// pane            the lower part: log, events, stack, settings
// header, notices the top, the banner

import { get } from "./api.js";
import { Clock } from "./clock.js";
import { askToStopAll, send } from "./commands.js";
import { byId } from "./dom.js";
import { Grid } from "./grid.js";
import { Header } from "./header.js";
import { listenToKeys } from "./keys.js";
import { Banner } from "./notices.js";
import { Outline } from "./outline.js";
import { Pane } from "./pane.js";
import { Stream } from "./stream.js";
import { takeToken } from "./token.js";
import { Tree } from "./tree.js";
import { duration } from "./words.js";

const PROGRAM_EVERY = 5_000; // milliseconds between looks at the program's memory

class Page {
  constructor() {
    this.clock = new Clock();
    this.tree = new Tree();
    this.outline = new Outline(this.tree);
    this.banner = new Banner();
    this.program = null;
    this.inContact = false;
    this.refused = null;
    this.header = new Header(this.clock, { filter: (text) => this.setFilter(text) });
    this.pane = new Pane(this.tree, { command: (name, row) => this.command(name, row) });
    this.grid = new Grid(this.tree, this.clock, {
      select: (path) => this.pane.select(path),
      fold: (path, folded) => {
        this.outline.fold(path, folded);
        this.draw();
      },
      command: (name, row) => this.command(name, row),
    });
    byId("filter").addEventListener("input", (event) => this.setFilter(event.target.value));
    byId("stop-all").addEventListener("click", () => this.askToStopAll());
    byId("show-keys").addEventListener("click", () => byId("keys").showModal());
    listenToKeys(this);
    addEventListener("hashchange", () => takeToken() && this.connect());
    addEventListener("online", () => this.stream?.retry());
    document.addEventListener("visibilitychange", () => this.lookAtProgram());
    setInterval(() => this.tick(), 1_000);
    setInterval(() => this.lookAtProgram(), PROGRAM_EVERY);
  }

  // What comes from the program

  connect() {
    this.stream?.close();
    this.refused = null;
    this.banner.hide();
    this.stream = new Stream(() => "stream?players=true&entries=false", {
      event: (name, data) => name === "players" && this.take(data),
      sign: () => this.hear(),
      lost: () => this.lose(),
      refused: (error) => this.refuse(error),
    });
  }

  take(data) {
    this.clock.tell(data.time);
    this.tree.take(data);
    this.draw();
    this.pane.showActions();
  }

  hear() {
    this.clock.sign();
    if (this.inContact) return;
    this.inContact = true;
    document.body.classList.remove("lost");
    this.banner.hide();
    this.header.showContact(false);
    this.lookAtProgram();
    this.pane.regained();
  }

  lose() {
    this.inContact = false;
    this.clock.stop();
    document.body.classList.add("lost");
    this.header.showContact(true);
    this.tick();
  }

  refuse(error) {
    this.refused = error;
    this.lose();
  }

  async lookAtProgram() {
    if (this.clock.stopped || (document.hidden && this.program)) return;
    try {
      this.program = await get("program");
    } catch {
      return; // the stream tells of lost contact
    }
    this.header.showProgram(this.program);
    document.body.classList.toggle("read-only", this.program.read_only);
  }

  // What is shown

  draw() {
    // A hidden tab draws nothing, but its title has the number of those that fail.
    const items = this.outline.items();
    this.header.showTree(this.tree, this.outline.hiddenFailing(items));
    this.items = items;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.grid.show(this.items, this.outline.filter ? "No player fits the filter." : "No players.");
    });
  }

  setFilter(text) {
    byId("filter").value = text;
    byId("grid").scrollTop = 0;
    this.outline.filter = text;
    this.draw();
  }

  tick() {
    if (this.refused) this.banner.show(hint(this.refused));
    else if (this.clock.stopped) this.showLost();
    if (this.clock.stopped) return;
    this.grid.tick();
    this.header.tick();
  }

  showLost() {
    const root = this.tree.rows.get("");
    const ending = root && ["stopping", "stopped"].includes(root.state);
    this.banner.show({
      what: ending ? "It was stopping. Lost contact" : "Lost contact",
      ago: ` ${duration(this.clock.silence())} ago`,
      more: this.tree.rows.size ? ". What is below is how it was then." : ".",
      actions: [["Try now", () => this.stream.retry()]],
    });
  }

  // What is done

  get mayAct() {
    return !this.clock.stopped && !this.program?.read_only;
  }

  command(name, row) {
    if (this.mayAct) send(name, row, (path, busy) => this.grid.setBusy(path, busy));
  }

  askToStopAll() {
    if (!this.mayAct) return;
    const playing = [...this.tree.rows.values()].filter((row) => !this.tree.isGroup(row) && row.startedAt !== null);
    askToStopAll(this.program?.name ?? "this program", playing.length);
  }
}

function hint(error) {
  if (error.status !== 401) return { what: "The program refuses this page: ", more: error.message, tone: "bad" };
  return {
    what: "This page has no token that the program knows. ",
    more:
      "Open the whole address that the program printed when it started: it ends in #token=… " +
      "A token is good until the program ends, each start makes a new one.",
    tone: "bad",
  };
}

takeToken();
const page = new Page();
page.connect();
page.pane.show("log");
