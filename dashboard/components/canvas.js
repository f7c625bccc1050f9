// A square to draw on; tells all strokes after each. Knows points and strokes; does not know who looks at them.

const canvases = new WeakMap(); // the place in the page -> the Canvas in it

const MIN_STEP = 2; // pixels from one point of a stroke to the next

class Canvas {
  constructor(parent, { strokes, side, thickness, maxPoints }) {
    const find = (selector) => parent.querySelector(selector);
    this.node = find("canvas");
    this.announcer = find(".announcer");
    this.strokes = strokes;
    this.side = side;
    this.maxPoints = maxPoints;
    this.stroke = null; // the one that is being drawn
    this.node.width = this.node.height = side;
    this.pen = this.node.getContext("2d");
    Object.assign(this.pen, { lineWidth: thickness, lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });

    this.node.onpointerdown = (event) => this.begin(event);
    this.node.onpointermove = (event) => this.go(event);
    this.node.onpointerup = this.node.onpointercancel = () => this.end();
    find(".undo").onclick = () => this.change(this.strokes.slice(0, -1));
    find(".clear").onclick = () => this.change([]);
    this.draw();
  }

  begin(event) {
    if (event.button !== 0 || this.stroke) return;
    event.preventDefault(); // or a drag would select the page's words
    this.node.setPointerCapture(event.pointerId); // a stroke may leave the square and come back
    this.stroke = [this.place(event)];
    this.draw();
  }

  go(event) {
    if (!this.stroke) return;
    for (const one of event.getCoalescedEvents?.() ?? [event]) this.add(this.place(one));
    this.draw();
  }

  add([x, y]) {
    const [lastX, lastY] = this.stroke.at(-1);
    const numPoints = this.strokes.flat().length + this.stroke.length;
    if (Math.hypot(x - lastX, y - lastY) >= MIN_STEP && numPoints < this.maxPoints) this.stroke.push([x, y]);
  }

  end() {
    if (!this.stroke) return;
    const strokes = [...this.strokes, this.stroke];
    this.stroke = null;
    if (strokes.flat().length <= this.maxPoints) this.change(strokes);
    else this.draw();
  }

  change(strokes) {
    this.strokes = strokes;
    this.draw();
    this.announcer.textContent = this.words;
    this.send("strokes", strokes);
  }

  place(event) {
    const box = this.node.getBoundingClientRect();
    const within = (share) => Math.round(this.side * Math.max(0, Math.min(1, share)));
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  draw() {
    const { pen, side } = this;
    pen.clearRect(0, 0, side, side);
    for (const stroke of this.stroke ? [...this.strokes, this.stroke] : this.strokes) {
      pen.beginPath();
      pen.moveTo(...stroke[0]);
      for (const point of stroke) pen.lineTo(...point); // one point alone is a dot
      pen.stroke();
    }
    this.node.setAttribute("aria-label", this.words);
  }

  get words() {
    const { length } = this.strokes;
    return `Your drawing: ${length === 0 ? "empty" : length === 1 ? "1 stroke" : `${length} strokes`}`;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const place = parentElement.querySelector("canvas");
  if (!canvases.has(place)) canvases.set(place, new Canvas(parentElement, data));
  canvases.get(place).send = setTriggerValue;
}
