// Sends the zip that a visitor chooses, and shows how far it is. Knows the server's route (dashboard/uploads/route.py)
// and Streamlit's triggers; nothing of zips.

const fields = new WeakMap(); // the place in the page -> the Field in it

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

class Field {
  constructor(parent) {
    const find = (selector) => parent.querySelector(selector);
    this.drop = find(".drop");
    this.input = find("input");
    this.progress = find("progress");
    this.button = find("button");
    this.status = find("[role=status]");
    this.input.onchange = () => this.send(this.input.files[0]);
    this.button.onclick = () => this.request.abort();
    this.drop.ondragover = (event) => {
      event.preventDefault();
      this.drop.classList.add("over");
    };
    this.drop.ondragleave = () => this.drop.classList.remove("over");
    this.drop.ondrop = (event) => {
      event.preventDefault();
      this.drop.classList.remove("over");
      this.send(event.dataTransfer.files[0]);
    };
  }

  update(data, arrived) {
    this.data = data;
    this.arrived = arrived;
    if (!this.request && data.arrived) this.say(`${data.arrived} has arrived.`);
  }

  send(file) {
    if (!file) return;
    this.request?.abort();
    if (file.size > this.data.max_bytes) {
      this.end(`${file.name} has ${megabytes(file.size)}, and at most ${megabytes(this.data.max_bytes)} can be uploaded.`);
      return;
    }
    const url = new URL(this.data.path, document.baseURI);
    url.searchParams.set("name", file.name);
    const request = (this.request = new XMLHttpRequest());
    request.open("PUT", url);
    request.setRequestHeader("X-Xsrftoken", this.token());
    request.upload.onprogress = ({ loaded }) => this.show(file, loaded);
    request.onabort = () => this.end(`${file.name} was not uploaded.`);
    request.onerror = () => this.end(`${file.name} was not uploaded: the server does not answer. Try again.`);
    request.onload = () => {
      this.end(request.status === 204 ? `${file.name} has arrived.` : request.responseText);
      if (request.status === 204) this.arrived();
    };
    this.show(file, 0);
    request.send(file);
  }

  show(file, loaded) {
    this.progress.hidden = this.button.hidden = false;
    this.progress.value = file.size ? loaded / file.size : 1;
    this.say(`Uploading ${file.name}: ${megabytes(loaded)} of ${megabytes(file.size)}.`);
  }

  end(words) {
    this.request = null;
    this.progress.hidden = this.button.hidden = true;
    this.input.value = ""; // the same file can be chosen again
    this.say(words);
  }

  // Words are only ever set as text: they contain names of files.
  say(words) {
    this.status.textContent = words;
  }

  token() {
    const cookies = document.cookie.split("; ").map((cookie) => cookie.split("="));
    return new Map(cookies.map(([name, ...value]) => [name, value.join("=")])).get(this.data.cookie) ?? "";
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  if (!fields.has(parentElement)) fields.set(parentElement, new Field(parentElement));
  fields.get(parentElement).update(data, () => setTriggerValue("arrived", true));
}
