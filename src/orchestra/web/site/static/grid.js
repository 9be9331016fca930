// The table: only the rows in sight are elements, however many players there are.

import { Spot, byId } from "./dom.js";
import { RowView, countOf } from "./row.js";
import { lettersFor } from "./state.js";

const SPARE = 6; // rows above and below those in sight

export class Grid {
  /** `on` has `select(path)`, `fold(path, folded)` and `command(name, row)`. */
  constructor(tree, clock, on) {
    this.tree = tree;
    this.clock = clock;
    this.on = on;
    this.node = byId("grid");
    this.rows = byId("rows");
    this.nobody = new Spot(byId("nobody"));
    this.items = [];
    this.places = new Map(); // path to index
    this.views = new Map(); // path to view
    this.free = [];
    this.selected = null;
    this.busy = new Set();
    this.height = 0;
    this.widths = { name: 0, state: 0, actions: false };
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    this.rows.addEventListener("click", (event) => this.click(event));
    this.node.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.measure()).observe(this.node);
    this.measure();
  }

  measure() {
    const height = parseFloat(getComputedStyle(this.node).getPropertyValue("--row"));
    this.height = height || 31;
    this.draw();
  }

  /** Show these items of an outline. */
  show(items, nobody) {
    const shift = this.shiftOf(items);
    this.items = items;
    this.places = new Map(items.map(({ row }, index) => [row.path, index]));
    this.node.setAttribute("aria-rowcount", items.length + 1);
    this.rows.style.setProperty("--count", items.length);
    this.nobody.node.hidden = items.length > 0;
    this.nobody.show(items.length ? "" : nobody);
    this.fit(items);
    if (shift) this.node.scrollTop += shift * this.height;
    this.draw();
  }

  /** How many rows have come above those in sight: what one looks at stays where it is. */
  shiftOf(items) {
    const first = Math.floor(this.node.scrollTop / this.height);
    const path = first > 0 ? this.items[first]?.row.path : undefined;
    if (path === undefined || items[first]?.row.path === path) return 0;
    const now = items.findIndex(({ row }) => row.path === path);
    return now < 0 ? 0 : now - first;
  }

  /** Give names, states and buttons as much width as they need: the rest is for the last lines. */
  fit(items) {
    const now = this.clock.now();
    let name = 0, state = this.widths.state, copies = false;
    for (const { row, level, group } of items) {
      const count = countOf(this.tree, row, group).length;
      // An indent is two letters wide, and so is the sign that folds.
      name = Math.max(name, 0.9 * (row.name.length + (count && count + 1)) + 2 * level);
      state = Math.max(state, lettersFor(row, now)); // it does not shrink again: all would jump to and fro
      copies ||= this.tree.isCopies(row);
    }
    this.setWidth("name", Math.ceil(name), `${Math.ceil(name)}ch`);
    this.setWidth("state", state, `calc(20px + ${state} * 0.8ch)`);
    this.setWidth("actions", copies, copies ? "192px" : "");
  }

  setWidth(name, width, css) {
    if (this.widths[name] === width) return;
    this.widths[name] = width;
    if (css) this.node.style.setProperty(`--${name}`, css);
    else this.node.style.removeProperty(`--${name}`);
  }

  draw() {
    const top = Math.floor(this.node.scrollTop / this.height);
    const inSight = Math.ceil(this.node.clientHeight / this.height);
    const items = this.items.slice(Math.max(0, top - SPARE), top + inSight + SPARE);
    const wanted = new Set(items.map(({ row }) => row.path));
    for (const [path, view] of this.views) {
      if (wanted.has(path)) continue;
      this.views.delete(path);
      view.node.remove();
      this.free.push(view);
    }
    const now = this.clock.now();
    for (const item of items) this.drawItem(item, now);
    this.announce();
  }

  drawItem(item, now) {
    const path = item.row.path;
    const view = this.views.get(path) ?? this.newView(path);
    const selected = path === this.selected;
    const busy = this.busy.has(path);
    view.show(item, this.places.get(path), { tree: this.tree, now, selected, busy });
  }

  newView(path) {
    const view = this.free.pop() ?? new RowView();
    this.rows.append(view.node);
    this.views.set(path, view);
    return view;
  }

  announce() {
    const view = this.views.get(this.selected);
    if (view) this.node.setAttribute("aria-activedescendant", view.node.id);
    else this.node.removeAttribute("aria-activedescendant");
  }

  tick() {
    const now = this.clock.now();
    for (const [path, view] of this.views) {
      const row = this.tree.rows.get(path);
      if (row) view.tick(row, now);
    }
  }

  setBusy(path, busy) {
    if (busy) this.busy.add(path);
    else this.busy.delete(path);
    this.draw();
  }

  /** Select the player at this path; null: nobody, which is all of them. */
  select(path) {
    this.selected = path;
    const index = this.places.get(path);
    if (index !== undefined) this.reveal(index);
    this.draw();
    this.on.select(path);
  }

  reveal(index) {
    const head = this.height;
    const top = index * this.height;
    const room = this.node.clientHeight - head - this.height;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top > this.node.scrollTop + room) this.node.scrollTop = top - room;
  }

  click(event) {
    const path = event.target.closest("[data-path]")?.dataset.path;
    const row = this.tree.rows.get(path);
    if (!row) return;
    const command = event.target.closest("[data-command]")?.dataset.command;
    if (command) this.on.command(command, row);
    else if (event.target.closest("[data-fold]") && this.item(path)?.group) this.toggle(path);
    else this.select(path);
  }

  item(path) {
    return this.items[this.places.get(path)];
  }

  toggle(path) {
    this.on.fold(path, this.item(path).open);
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target !== this.node) return;
    const index = this.places.get(this.selected) ?? -1;
    const page = Math.max(1, Math.floor(this.node.clientHeight / this.height) - 2);
    const moves = {
      ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: this.items.length - 1,
      PageDown: index + page, PageUp: index - page,
    };
    const item = this.items[index];
    if (event.key in moves) this.move(moves[event.key]);
    else if (!item) return;
    else if (event.key === "ArrowLeft") this.left(item);
    else if (event.key === "ArrowRight") this.right(item, index);
    else if (event.key === "Enter" && item.group) this.toggle(item.row.path);
    else return;
    event.preventDefault();
  }

  move(index) {
    const item = this.items[Math.max(0, Math.min(index, this.items.length - 1))];
    if (item) this.select(item.row.path);
  }

  left(item) {
    if (item.open) this.toggle(item.row.path);
    else if (this.places.has(item.row.parent)) this.select(item.row.parent);
  }

  right(item, index) {
    if (item.group && !item.open) this.toggle(item.row.path);
    else if (item.open && this.items[index + 1]?.level > item.level) this.move(index + 1);
  }
}
