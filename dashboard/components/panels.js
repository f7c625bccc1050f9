// Draws a table of pictures over grids of patches into nodes that outlive their data, and tells what a reader picks.
// Knows pictures, patches, mouse and keys; does not know what the pictures show, or what a pick changes.

const tables = new WeakMap(); // the place in the page -> the Table in it

const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const GAP = 6; // pixels between a patch and its tip

const format = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });

function create(className, role) {
  const node = document.createElement("div");
  node.className = className;
  if (role) node.setAttribute("role", role);
  return node;
}

// Words are only ever set as text: they may come from people.
function createTitle(role, text) {
  const node = create("title", role);
  node.textContent = text;
  return node;
}

// Setting what is there already would make the browser decode or announce it again.
function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

class Panel {
  constructor(table, row, column) {
    this.table = table;
    this.place = { row, column };
    this.cell = create("cell", "cell");
    this.frame = create("frame");
    this.image = document.createElement("img");
    this.image.alt = ""; // the frame has it
    this.image.draggable = false;
    this.outline = create("patch outlined");
    this.cursor = create("patch cursor");
    this.cursor.hidden = true;
    this.caption = document.createElement("p");
    this.caption.className = "caption";
    this.frame.append(this.image, this.outline, this.cursor);
    this.cell.append(this.frame, this.caption);

    this.frame.onpointerdown = this.frame.onpointermove = (event) => this.point(this.patchAt(event));
    this.frame.onpointerleave = this.frame.onblur = () => this.leave();
    this.frame.onfocus = () => {
      const byKeys = this.frame.matches(":focus-visible") && this.table.data.pick !== "panel";
      if (byKeys) this.point(this.patch, { aloud: true });
    };
    // A click that a screen reader makes has no place of its own.
    this.frame.onclick = (event) => this.pick(event.detail === 0 ? this.patch : this.patchAt(event));
    this.frame.onkeydown = (event) => this.press(event);
  }

  update(data) {
    this.data = data;
    this.frame.hidden = data === null;
    this.caption.textContent = data?.caption ?? "";
    setAttribute(this.caption, "data-verdict", data?.verdict || null);
    if (data === null) return this.leave();
    const { pick } = this.table.data;
    const pickable = pick === "panel" || (pick === "patch" && data.grid !== null);
    setAttribute(this.image, "width", data.width);
    setAttribute(this.image, "height", data.height);
    setAttribute(this.image, "src", data.src);
    // An application takes the arrow keys for itself; a screen reader would keep them in a picture.
    setAttribute(this.frame, "role", pick === "panel" ? "button" : data.grid ? "application" : "img");
    setAttribute(this.frame, "aria-label", data.alt);
    setAttribute(this.frame, "aria-current", data.chosen ? "true" : null);
    setAttribute(this.frame, "data-pick", pickable ? pick : null);
    setAttribute(this.frame, "tabindex", pick === "panel" ? -1 : data.grid ? 0 : null);
    this.lay(this.outline, data.outlined);
    if (this.table.pointed === this) this.point(this.patch);
  }

  // Where the cursor is, or where it would start.
  get patch() {
    const { grid, outlined } = this.data;
    if (grid === null) return null;
    const [row, column] = this.last ?? outlined ?? grid.map((count) => Math.floor(count / 2));
    return [clamp(row, 0, grid[0] - 1), clamp(column, 0, grid[1] - 1)];
  }

  patchAt(event) {
    const { grid } = this.data;
    if (grid === null) return null;
    const box = this.image.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * grid[0]);
    const column = Math.floor(((event.clientX - box.left) / box.width) * grid[1]);
    return [clamp(row, 0, grid[0] - 1), clamp(column, 0, grid[1] - 1)];
  }

  lay(node, patch) {
    node.hidden = patch === null;
    if (patch === null) return;
    const [height, width] = this.data.grid.map((count) => 100 / count);
    node.style.top = `${patch[0] * height}%`;
    node.style.left = `${patch[1] * width}%`;
    node.style.height = `${height}%`;
    node.style.width = `${width}%`;
  }

  point(patch, { aloud = false } = {}) {
    if (this.table.pointed !== this) this.table.pointed?.leave(); // a mouse may rest next to the panel in focus
    if (patch === null) return this.leave();
    this.table.pointed = this;
    this.last = patch;
    this.lay(this.cursor, patch);
    this.table.announce(this.words(patch), aloud);
  }

  leave() {
    this.cursor.hidden = true;
    if (this.table.pointed !== this) return;
    this.table.pointed = null;
    this.table.tip.hidePopover();
  }

  words([row, column]) {
    const where = `row ${row + 1}, column ${column + 1}`;
    const value = this.data.values?.[row][column];
    return value === undefined ? where : `${where}: ${format.format(value).replace("-", "−")} × uniform`;
  }

  press(event) {
    if (event.key === "Escape") this.leave();
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (!event.repeat) this.pick(this.patch);
    }
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault(); // or the page would scroll
    if (this.table.data.pick === "panel") return this.table.go(this.place, step);
    const { grid } = this.data;
    const [row, column] = this.patch.map((position, axis) => clamp(position + step[axis], 0, grid[axis] - 1));
    this.point([row, column], { aloud: true });
  }

  pick(patch) {
    const { pick } = this.frame.dataset;
    if (pick) this.table.send("pick", { ...this.place, patch: pick === "patch" ? patch : null });
  }
}

class Table {
  constructor(node, tip, announcer) {
    this.node = node;
    this.tip = tip;
    this.announcer = announcer;
    this.panels = [];
    this.pointed = null; // the panel whose patch the tip tells
    this.follow = () => this.pointed && this.putTip();
  }

  update(data, send) {
    this.data = data;
    this.send = send;
    this.build();
    const { rows, columns, rowTitles, minWidth, maxWidth } = data;
    const titles = rowTitles.length ? "fit-content(7rem) " : "";
    const numColumns = rows[0]?.length ?? 0;
    this.node.style.gridTemplateColumns = `${titles}repeat(${numColumns}, minmax(${minWidth}px, ${maxWidth}px))`;
    this.node.classList.toggle("smooth", data.smooth);
    this.node.classList.toggle("captioned", rows.flat().some((panel) => panel?.caption));
    this.headers.forEach((header, index) => (header.textContent = columns[index]));
    this.rowHeaders.forEach((header, index) => (header.textContent = rowTitles[index]));
    rows.forEach((row, i) => row.forEach((panel, j) => this.panels[i][j].update(panel)));
    if (data.pick === "panel") this.keepOneTabStop();
    if (this.refocus) this.giveFocusBack();
  }

  // Only a table of another shape is built again; it keeps the panels at the same places.
  build() {
    const { rows, columns, rowTitles } = this.data;
    const shape = [rows.length, rows[0]?.length, columns.length, rowTitles.length].join();
    if (shape === this.shape) return;
    this.shape = shape;
    const focused = this.panels.flat().find((panel) => panel.frame === this.node.getRootNode().activeElement);
    this.panels = rows.map((row, i) => row.map((_, j) => this.panels[i]?.[j] ?? new Panel(this, i, j)));
    this.headers = columns.map((title) => createTitle("columnheader", title));
    this.rowHeaders = rowTitles.map((title) => createTitle("rowheader", title));
    const lines = this.panels.map((row, i) => {
      const line = create("row", "row");
      line.append(...this.rowHeaders.slice(i, i + 1), ...row.map((panel) => panel.cell));
      return line;
    });
    if (columns.length) {
      const line = create("row", "row");
      line.append(...(rowTitles.length ? [create("corner", "cell")] : []), ...this.headers);
      lines.unshift(line);
    }
    this.node.replaceChildren(...lines);
    this.refocus = focused; // taking a node out takes its focus away
  }

  // The panel in focus keeps it; if it is gone, the next to its left has it.
  giveFocusBack() {
    const { row, column } = this.refocus.place;
    this.refocus = null;
    const left = (this.panels[row] ?? []).slice(0, column + 1);
    left.findLast((panel) => panel.data && panel.frame.hasAttribute("tabindex"))?.frame.focus();
  }

  // So that one press of Tab leads past a hundred panels; the arrow keys go from one to the next.
  keepOneTabStop() {
    const drawn = this.panels.flat().filter((panel) => panel.data !== null);
    const stop = drawn.find((panel) => panel.place === this.visited) ?? drawn.find((panel) => panel.data.chosen);
    (stop ?? drawn[0])?.frame.setAttribute("tabindex", 0);
  }

  go(from, [down, right]) {
    let { row, column } = from;
    let next;
    do next = this.panels[(row += down)]?.[(column += right)];
    while (next?.data === null); // places left empty are passed over
    if (!next) return;
    this.panels[from.row][from.column].frame.setAttribute("tabindex", -1);
    this.visited = next.place;
    next.frame.setAttribute("tabindex", 0);
    next.frame.focus();
  }

  announce(text, aloud) {
    this.tip.textContent = text;
    if (aloud) this.announcer.textContent = text;
    this.tip.showPopover(); // above everything: the table's own box would cut it off
    this.putTip();
  }

  putTip() {
    const { tip } = this;
    const { top, bottom, left, width } = this.pointed.cursor.getBoundingClientRect();
    const above = top - GAP - tip.offsetHeight;
    const middle = left + width / 2 - tip.offsetWidth / 2;
    tip.style.top = `${above < 0 ? bottom + GAP : above}px`;
    tip.style.left = `${clamp(middle, 0, document.documentElement.clientWidth - tip.offsetWidth)}px`;
    // Once each time, so that none outlives the table.
    window.addEventListener("scroll", this.follow, { capture: true, once: true });
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector(".table");
  if (!tables.has(place)) {
    tables.set(place, new Table(place, parentElement.querySelector(".tip"), parentElement.querySelector(".announcer")));
  }
  tables.get(place).update(data, setTriggerValue);
}
