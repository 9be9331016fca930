// Elements. All text goes in as text: names and log lines are whatever somebody wrote.

export const byId = (id) => document.getElementById(id);

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

export function button(label, onClick, className = "") {
  const made = element("button", className, label);
  made.type = "button";
  if (onClick) made.addEventListener("click", onClick);
  return made;
}

/** An element whose text, class and title are only touched when they change. */
export class Spot {
  constructor(node) {
    this.node = node;
    this.text = node.textContent;
    this.className = node.className;
    this.title = "";
  }

  show(text, className = this.className, title = "") {
    if (text !== this.text) this.node.textContent = this.text = text;
    if (className !== this.className) this.node.className = this.className = className;
    if (title !== this.title) this.node.title = this.title = title;
  }
}
