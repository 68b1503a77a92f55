// The last lines of one pod's log, read again while it is looked at.

import { h } from "./dom.js";

const EVERY = 3000;

export class Logs {
  constructor(path) {
    this.path = path;
    this.pod = "";
    this.names = "";
    this.asked = ""; // the pod whose log is being read
    this.choice = h("select", { "aria-label": "Pod", onchange: () => this.choose(this.choice.value) });
    this.text = h("pre", { class: "log", tabindex: 0, "aria-label": "Log" });
    this.told = h("p", { class: "quiet small" });
    this.element = h("div", {}, this.choice, this.text, this.told);
    this.text.hidden = true;
    this.timer = setInterval(() => this.read(), EVERY);
  }

  show(pods, missing) {
    const names = pods.map((pod) => `${pod.name}/${pod.phase}/${pod.reason}`).join();
    this.choice.hidden = !pods.length;
    if (!pods.length) this.told.textContent = missing ?? "There are no pods: those of stages that have ended go after a while.";
    if (names === this.names) return;
    this.names = names;
    const options = pods.map((pod) => h("option", { value: pod.name }, `${pod.name} · ${pod.reason ?? pod.phase}`));
    this.choice.replaceChildren(h("option", { value: "" }, `Choose one of ${pods.length} pods`), ...options);
    if (this.pod && !pods.some((pod) => pod.name === this.pod)) this.choose("");
    this.choice.value = this.pod;
  }

  choose(pod) {
    this.pod = pod;
    this.text.hidden = !pod;
    this.text.textContent = pod ? "Reading …" : "";
    this.told.textContent = "";
    this.read(true);
  }

  async read(first = false) {
    const pod = this.pod;
    if (!pod || document.hidden || this.asked === pod) return;
    let found;
    this.asked = pod;
    try {
      const answer = await fetch(`${this.path}/pods/${encodeURIComponent(pod)}/log`, { signal: AbortSignal.timeout(45000) });
      if (!answer.ok) return;
      found = await answer.json();
    } catch {
      return; // the banner says that nothing answers
    } finally {
      if (this.asked === pod) this.asked = "";
    }
    if (pod !== this.pod) return;
    const text = found.lines.join("\n");
    const below = first || this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < 40;
    if (text !== this.text.textContent && (found.lines.length || first)) this.text.textContent = text;
    if (below) this.text.scrollTop = this.text.scrollHeight;
    this.told.textContent = found.missing ?? `The last ${found.lines.length} lines; kubectl logs ${pod} has them all.`;
  }

  close() {
    clearInterval(this.timer);
  }
}
