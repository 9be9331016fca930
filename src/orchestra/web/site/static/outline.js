// Which rows of the tree are shown: what is folded, and what the filter lets through.

import { isFailing, wordOf } from "./state.js";

export class Outline {
  constructor(tree) {
    this.tree = tree;
    this.filter = "";
    this.folds = new Map(); // what was folded or unfolded by hand
  }

  isFolded(row) {
    return this.folds.get(row.path) ?? this.tree.isCopies(row);
  }

  fold(path, folded) {
    this.folds.set(path, folded);
  }

  /** The rows that are shown, in their order: `{row, level, group, open}` each. */
  items() {
    const found = [];
    const words = this.filter.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const matching = words.length ? this.matching(words) : null;
    const walk = (paths, level, onlyFailing) => {
      for (const path of paths) {
        if (matching && !matching.has(path)) continue;
        // Whoever fails is seen, however many groups around it are folded.
        if (onlyFailing && !this.tree.sums.get(path).failing) continue;
        const row = this.tree.rows.get(path);
        const group = this.tree.isGroup(row);
        const open = group && (matching !== null || !this.isFolded(row));
        found.push({ row, level, group, open });
        if (group) walk(this.tree.childrenOf(path), level + 1, onlyFailing || !open);
      }
    };
    walk(this.tree.tops(), 1, false);
    return found;
  }

  /** The paths of those that have all the words in them, and of the groups around them. */
  matching(words) {
    const found = new Set();
    for (const row of this.tree.rows.values()) {
      if (!matches(row, words)) continue;
      for (let one = row; one && !found.has(one.path); one = this.tree.rows.get(one.parent)) {
        found.add(one.path);
      }
    }
    return found;
  }

  /** How many of those that fail are kept out by the filter. */
  hiddenFailing(items) {
    const shown = new Set(items.map(({ row }) => row.path));
    return this.tree.failing().filter((row) => !shown.has(row.path)).length;
  }
}

function matches(row, words) {
  const state = `${wordOf(row)} ${row.ready ? "up" : ""} ${isFailing(row) ? row.error : ""}`;
  const text = `${row.path} ${row.kind} ${state}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
