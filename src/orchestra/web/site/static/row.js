// One row of the table: cells that are made once and touched only where they change.

import { Spot, button, element } from "./dom.js";
import { commandsFor, inWords, isFailing, signOf, toneOf, wordOf } from "./state.js";
import { bytes, duration, percent, plainPairs } from "./words.js";

const CELLS = ["kind", "uptime", "restarts", "cpu", "memory", "last"];

export class RowView {
  constructor() {
    this.node = element("div", "row");
    this.node.setAttribute("role", "row");
    this.cells = {};
    this.attributes = new Map();
    this.index = -1;
    this.makeName();
    this.makeState();
    for (const name of CELLS) this.cells[name] = new Spot(this.cell(name));
    this.makeActions();
    this.node.append(
      this.name, this.cells.kind.node, this.state,
      ...CELLS.slice(1).map((name) => this.cells[name].node), this.actions,
    );
  }

  cell(name) {
    const node = element("span", name);
    node.setAttribute("role", "gridcell");
    return node;
  }

  makeName() {
    this.name = this.cell("name");
    this.twisty = element("span", "twisty");
    this.twisty.dataset.fold = "";
    this.twisty.setAttribute("aria-hidden", "true");
    this.label = new Spot(element("span", "label"));
    this.count = new Spot(element("span", "count"));
    this.name.append(this.twisty, this.label.node, this.count.node);
    this.fold = new Spot(this.twisty);
  }

  makeState() {
    this.state = this.cell("state");
    this.sign = new Spot(element("span", "sign"));
    this.sign.node.setAttribute("aria-hidden", "true");
    this.word = new Spot(element("span", "word"));
    this.state.append(this.sign.node, this.word.node);
  }

  makeActions() {
    this.actions = this.cell("actions");
    this.buttons = makeButtons();
    this.actions.append(...this.buttons.nodes);
  }

  /** Show this item of the outline, at this place, as it is now. */
  show(item, index, { tree, now, selected, busy }) {
    const { row, level, group, open } = item;
    this.path = row.path;
    this.place(index);
    this.set("id", `row-${index}`);
    this.set("aria-rowindex", index + 2);
    this.set("aria-level", level);
    this.set("aria-selected", selected);
    this.set("aria-expanded", group ? open : null);
    this.set("data-level", Math.min(level, 8));
    this.set("class", `row ${toneOf(wordOf(row))}${group ? " is-group" : ""}${selected ? " selected" : ""}`);
    this.set("data-path", row.path);
    this.fold.show(group ? (open ? "▾" : "▸") : "");
    this.label.show(row.name || "conductor", "label", row.path);
    const sum = tree.sums.get(row.path);
    this.count.show(countOf(tree, row, group));
    this.cells.kind.show(tree.kindOf(row), "kind", tree.kindOf(row));
    this.cells.restarts.show(String(sum.restarts), sum.restarts ? "restarts some" : "restarts");
    this.cells.cpu.show(sum.cpu === null ? "—" : percent(sum.cpu));
    this.cells.memory.show(sum.memory === null ? "—" : bytes(sum.memory));
    const [last, title] = lastOf(row, group);
    this.cells.last.show(last, "last", title);
    this.buttons.show(row, tree, busy);
    this.tick(row, now);
  }

  /** What changes by itself. */
  tick(row, now) {
    const word = inWords(row, now);
    this.sign.show(signOf(wordOf(row)));
    this.word.show(word, "word", row.error && isFailing(row) ? `${word}: ${row.error}` : word);
    this.cells.uptime.show(row.startedAt === null ? "—" : duration(now - row.startedAt));
  }

  place(index) {
    if (index === this.index) return;
    this.index = index;
    this.node.style.setProperty("--index", index);
  }

  set(name, value) {
    if (this.attributes.get(name) === value) return;
    this.attributes.set(name, value);
    if (value === null) this.node.removeAttribute(name);
    else this.node.setAttribute(name, value);
  }
}

/** What stands beside the name of a group: how many of how many are up, or how many copies it is. */
export function countOf(tree, row, group) {
  if (!group) return "";
  const sum = tree.sums.get(row.path);
  if (!tree.isCopies(row)) return `${sum.up} of ${sum.of}`;
  return sum.up === sum.of ? `×${row.copies}` : `×${row.copies}, ${sum.up} up`;
}

/** The last line, or what says more: why it fails, what it has told of itself when it got ready.
 *
 * Of a group there is nothing that its own row does not say already.
 */
function lastOf(row, group) {
  const details = plainPairs(row.details ?? {});
  const text = (isFailing(row) && row.error) || (group ? details : row.last_line || details);
  return [text, details && details !== text ? `${text}\n${details}` : text];
}

/** The buttons of a player: two for commands, two for the number of copies. */
export function makeButtons() {
  const commands = [button(""), button("")];
  const scale = [button("−", null, "scale"), button("+", null, "scale")];
  scale[0].dataset.command = "fewer";
  scale[1].dataset.command = "more";
  const nodes = [...commands, ...scale];
  const seen = { commands: "", copies: "", busy: false };
  for (const node of nodes) {
    node.tabIndex = -1; // the table itself has the focus, and keys for all of them
    node.hidden = true;
  }

  function show(row, tree, busy) {
    const found = commandsFor(row, tree.shows(row));
    const wanted = found.map(([name]) => name).join() + found.map(([, label]) => label).join();
    if (wanted !== seen.commands) {
      seen.commands = wanted;
      commands.forEach((node, place) => {
        const [command, label] = found[place] ?? ["", ""];
        node.hidden = !command;
        node.dataset.command = command;
        node.textContent = label;
      });
    }
    const copies = tree.isCopies(row) ? row.copies : "";
    if (copies !== seen.copies) {
      seen.copies = copies;
      for (const node of scale) node.hidden = copies === "";
      scale[0].disabled = !copies;
      scale[0].title = scale[0].ariaLabel = `one copy fewer than ${copies}`;
      scale[1].title = scale[1].ariaLabel = `one copy more than ${copies}`;
    }
    if (busy !== seen.busy) {
      seen.busy = busy;
      for (const node of commands) node.disabled = busy;
    }
  }

  return { nodes, show };
}
