// The top of the page: what plays, how many are how, and the title of the tab.

import { Spot, button, byId } from "./dom.js";
import { countsOf } from "./state.js";
import { bytes, duration } from "./words.js";

export class Header {
  /** `on` has `filter(text)`. */
  constructor(clock, on) {
    this.clock = clock;
    this.program = null;
    this.failing = 0;
    this.lost = false;
    this.name = new Spot(byId("program"));
    this.facts = new Spot(byId("facts"));
    this.counts = byId("counts");
    this.pills = new Map();
    this.on = on;
    this.hidden = byId("hidden-failing");
    this.hidden.addEventListener("click", () => on.filter(""));
  }

  showProgram(program) {
    this.program = program;
    this.name.show(program.name, this.name.className, program.file ?? "");
    this.tick();
    this.showTitle();
  }

  showTree(tree, hiddenFailing) {
    const counts = countsOf(tree);
    const wanted = new Set(counts.map(([word]) => word));
    for (const [word, pill] of this.pills) pill.hidden = !wanted.has(word);
    counts.forEach(([word, count, tone], place) => this.showPill(word, count, tone, place));
    this.failing = tree.failing().length;
    this.hidden.hidden = !hiddenFailing;
    this.hidden.textContent = `${hiddenFailing} failing hidden`;
    this.hidden.title = "They do not fit the filter. Press to clear it.";
    this.showTitle();
  }

  showPill(word, count, tone, place) {
    let pill = this.pills.get(word);
    if (!pill) {
      pill = button("", () => this.on.filter(word), "pill");
      const number = document.createElement("b");
      pill.append(number, document.createTextNode(` ${word}`));
      pill.title = `show those that are ${word}`;
      this.pills.set(word, pill);
      this.counts.append(pill);
    }
    pill.style.order = place;
    pill.className = `pill ${tone}`;
    const text = String(count);
    if (pill.firstChild.textContent !== text) pill.firstChild.textContent = text;
  }

  showContact(lost) {
    this.lost = lost;
    this.showTitle();
  }

  tick() {
    const program = this.program;
    if (!program) return;
    const up = `up ${duration(this.clock.now() - program.started)}`;
    const memory = program.memory === null ? [] : [bytes(program.memory)];
    const readOnly = program.read_only ? ["read-only"] : [];
    this.facts.show([`pid ${program.pid}`, up, ...memory, ...readOnly].join(" · "));
  }

  showTitle() {
    const name = this.program?.name ?? "Orchestra";
    const before = this.lost ? "(?) " : this.failing ? `(${this.failing}) ` : "";
    const title = before + name;
    if (document.title !== title) document.title = title;
  }
}
