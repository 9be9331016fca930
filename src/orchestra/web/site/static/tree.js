// The players, as the program has told of them.

import { isFailing, isUp } from "./state.js";

export class Tree {
  constructor() {
    this.rows = new Map();
    this.below = new Map(); // the paths in each group, in their order
    this.sums = new Map();
  }

  /** Take in rows that have changed, or all of them. */
  take({ all, time, players, gone }) {
    if (all) {
      this.rows.clear();
      this.below.clear();
    }
    for (const row of players) this.put(row, time);
    if (gone?.length) this.remove(new Set(gone));
    this.sums.clear();
    for (const path of this.tops()) this.sum(path);
  }

  put(row, time) {
    const isNew = !this.rows.has(row.path);
    row.startedAt = row.uptime === null ? null : time - row.uptime;
    row.nextAt = row.next_restart_in === null ? null : time + row.next_restart_in;
    this.rows.set(row.path, row);
    if (!isNew) return;
    const siblings = this.below.get(row.parent);
    if (siblings) siblings.push(row.path);
    else this.below.set(row.parent, [row.path]);
  }

  remove(paths) {
    const parents = new Set();
    for (const path of paths) {
      parents.add(this.rows.get(path)?.parent);
      this.rows.delete(path);
      this.below.delete(path);
    }
    for (const parent of parents) {
      const left = this.below.get(parent)?.filter((path) => !paths.has(path));
      if (left) this.below.set(parent, left);
    }
  }

  /** Those at the top: the program itself is above the table, unless it is a single player. */
  tops() {
    const roots = this.childrenOf(null);
    const root = this.rows.get(roots[0]);
    return roots.length === 1 && this.isGroup(root) ? this.childrenOf(root.path) : roots;
  }

  childrenOf(path) {
    return this.below.get(path) ?? [];
  }

  isGroup(row) {
    return row.kind === "group" || this.isCopies(row) || this.below.has(row.path);
  }

  isCopies(row) {
    return row.copies !== null && row.copies !== undefined;
  }

  /** Who fails, of all. */
  failing() {
    return [...this.rows.values()].filter(isFailing);
  }

  /** What there is below a row, itself included, put together. */
  sum(path) {
    const row = this.rows.get(path);
    const sum = {
      up: 0, of: 0, restarts: row.restarts, cpu: row.cpu ?? null, memory: row.memory ?? null,
      failing: isFailing(row), shows: row.kind === "status",
    };
    if (!this.isGroup(row)) {
      sum.up = isUp(row) ? 1 : 0;
      sum.of = 1;
    }
    for (const child of this.childrenOf(path)) {
      const part = this.sum(child);
      sum.up += part.up;
      sum.of += part.of;
      sum.restarts += part.restarts;
      sum.failing ||= part.failing;
      sum.shows ||= part.shows;
      if (part.cpu !== null) sum.cpu = (sum.cpu ?? 0) + part.cpu;
      if (part.memory !== null) sum.memory = (sum.memory ?? 0) + part.memory;
    }
    this.sums.set(path, sum);
    return sum;
  }

  /** Whether it is the player that shows this page, or a group around it. */
  shows(row) {
    return this.sums.get(row.path)?.shows ?? false;
  }

  kindOf(row) {
    if (!this.isCopies(row)) return row.kind;
    return this.rows.get(this.childrenOf(row.path)[0])?.kind ?? row.kind;
  }
}
