// Receives what runs measure while the page is visible, passes it to charts and lines, and reports when more must be drawn
// again. Knows the server's feed (dashboard/live/server.py) and Streamlit's triggers; nothing of charts.

const RETRY_MS = 2000;

const feeds = new WeakMap(); // the place in the page -> the Feed in it

class Feed {
  constructor() {
    window.liveFeed = { points: {} }; // run -> its points since the page was drawn; charts read it
    this.newest = {}; // run -> newest seq
    this.onVisibility = () => (document.hidden ? this.close() : this.open());
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  update(data, redraw) {
    this.data = data;
    this.redraw = redraw;
    const kept = {};
    for (const [run, seq] of Object.entries(data.runs)) {
      this.newest[run] = Math.max(seq, this.newest[run] ?? 0);
      kept[run] = (window.liveFeed.points[run] ?? []).filter((point) => point.seq > seq);
    }
    window.liveFeed.points = kept;
    if (this.socket?.readyState === WebSocket.OPEN) this.send();
    else if (!this.socket && !document.hidden) this.open();
  }

  open() {
    clearTimeout(this.timer);
    const url = new URL(this.data.path, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = (this.socket = new WebSocket(url));
    socket.onopen = () => this.send();
    socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    // Where there is no feed, the page is drawn again instead; where there is no server, Streamlit says so itself.
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.close();
      this.timer = setTimeout(() => {
        this.open();
        this.redraw("page");
      }, RETRY_MS);
    };
  }

  close() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  send() {
    const runs = Object.fromEntries(Object.keys(this.data.runs).map((run) => [run, this.newest[run]]));
    this.socket.send(JSON.stringify({ runs, state: this.data.state, progress: this.data.progress }));
  }

  receive({ points, lines, redraw }) {
    let longest = 0;
    for (const [run, more] of Object.entries(points)) {
      const kept = (window.liveFeed.points[run] ??= []);
      kept.push(...more);
      this.newest[run] = more.at(-1).seq;
      longest = Math.max(longest, kept.length);
    }
    if (longest) window.dispatchEvent(new Event("live-points"));
    window.dispatchEvent(new CustomEvent("live-lines", { detail: lines }));
    if (redraw || longest > this.data.max_points) this.redraw(redraw || "page");
  }

  end() {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.close();
    delete window.liveFeed;
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (!feeds.has(parentElement)) feeds.set(parentElement, new Feed());
  const feed = feeds.get(parentElement);
  feed.update(data, (what) => setTriggerValue("redraw", what));
  return () => {
    if (parentElement.isConnected) return;
    feed.end();
    feeds.delete(parentElement);
  };
}
