// How a player was made, and the names of the environment's variables that it gets.

import { get } from "./api.js";
import { element } from "./dom.js";
import { plain } from "./words.js";

export class SettingsView {
  constructor({ path, row, node, tell }) {
    this.row = row;
    this.node = node;
    this.tell = tell;
    this.closed = false;
    this.load(path);
  }

  async load(path) {
    this.failed = false;
    this.tell("");
    try {
      const { settings, variables } = await get("settings", { path });
      if (this.closed) return;
      this.node.append(
        ...table("Settings", Object.entries(settings)),
        ...table("What it has told when it got ready", Object.entries(this.row?.details ?? {})),
        ...names(variables),
      );
      if (!this.node.hasChildNodes()) this.node.append(element("p", "remark", "It has no settings."));
    } catch (error) {
      if (this.closed) return;
      this.failed = true;
      this.node.append(element("p", "remark", error.message));
    }
  }

  close() {
    this.closed = true;
  }
}

function table(title, pairs) {
  if (!pairs.length) return [];
  const made = element("table", "settings");
  made.append(element("caption", "", title));
  for (const [key, value] of pairs) {
    const row = made.insertRow();
    const head = element("th", "", key);
    head.scope = "row";
    row.append(head, element("td", "", value === null ? "—" : plain(value)));
  }
  return [made];
}

function names(variables) {
  if (!variables?.length) return [];
  const list = element("ul", "variables");
  list.append(...variables.map((name) => element("li", "", name)));
  return [element("h3", "", "Environment variables (names only)"), list];
}
