// The page: which text is shown, by which method, in which theme.

const OVERVIEW_FROM = 160;    // tokens from which on a strip shows all of a text at once
const THEMES = ["system", "light", "dark"];

class Page {
  constructor() {
    this.entries = [...document.querySelectorAll("script.explained")].map((script) => JSON.parse(script.textContent));
    this.fillChoice();
    this.listen();
    if (this.entries.length) this.show(0);
  }

  fillChoice() {
    const choice = document.getElementById("choice");
    this.entries.forEach((entry, index) => {
      entry.chunked = this.entries.some((other) => other !== entry && other.location === entry.location);
      const name = entry.chunked ? `${entry.location}, chunk ${entry.chunk}` : entry.location;
      choice.append(new Option(name, String(index)));
    });
    document.getElementById("chooser").hidden = this.entries.length < 2;
    choice.onchange = () => this.show(Number(choice.value));
  }

  listen() {
    document.getElementById("theme").onclick = () => this.changeTheme();
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    window.addEventListener("resize", () => this.drawOverview());
    document.getElementById("overview").onclick = (event) => {
      const box = event.target.getBoundingClientRect();
      const count = this.explained.tokens.length;
      this.chooseToken(Math.min(count - 1, Math.floor((event.clientX - box.left) / box.width * count)), true);
    };
  }

  changeTheme() {
    const root = document.documentElement;
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    root.dataset.theme = next;
    document.getElementById("theme").textContent = `Theme: ${next}`;
    this.recolour();
  }

  recolour() {
    this.attention?.redraw();
    this.drawOverview();
  }

  show(index) {
    if (!(this.entries[index] instanceof Explained)) this.entries[index] = new Explained(this.entries[index]);
    this.explained = this.entries[index];
    this.token = undefined; // of another text
    this.drawAnswer();
    this.text = new TokenText(document.getElementById("text"), this.explained, "The text, coloured by the method",
      (token) => this.tell(token));
    this.fillMethods();
    this.attention = new Attention(this.explained);
    drawSurrogates(this.explained);
  }

  drawAnswer() {
    const { model, details, labels, summary } = this.explained;
    document.getElementById("model").textContent = [model, details].filter((part) => part).join(": ");
    document.getElementById("summary").replaceChildren(...spelledOut(summary));
    const rows = labels.map(({ label, score }) => {
      const line = element("span", "bar");
      line.style.setProperty("--share", `${100 * Math.max(0, Math.min(1, score ?? 0))}%`);
      return element("div", "bar-row", element("span", "bar-name", ...spelledOut(label)), line,
        element("span", "bar-value", score >= 0 && score <= 1 ? percent(score) : shown(score ?? 0)));
    });
    document.getElementById("labels").replaceChildren(...rows);
    document.getElementById("answer").hidden = !summary && !labels.length;
  }

  // ---- Methods ----

  fillMethods() {
    const host = document.getElementById("methods");
    host.querySelectorAll("label").forEach((label) => label.remove());
    this.explained.methods.forEach((method, index) => {
      const input = document.createElement("input");
      input.type = "radio";
      input.name = "method";
      input.value = method.method;
      input.onchange = () => this.chooseMethod(index);
      host.append(element("label", "", input, element("span", "", method.method.replaceAll("-", " "))));
    });
    document.getElementById("tokens").hidden = !this.explained.methods.length;
    if (!this.explained.methods.length) return;
    const kept = this.explained.methods.findIndex((method) => method.method === this.method?.method);
    host.querySelectorAll("input")[Math.max(0, kept)].checked = true;
    this.chooseMethod(Math.max(0, kept));
  }

  chooseMethod(index) {
    const method = this.method = this.explained.methods[index];
    const { scores } = method;
    const special = (token) => this.explained.tokens[token].special;
    this.text.paint(scores);
    this.drawOverview();
    document.getElementById("method-text").textContent = METHODS[method.method] ?? "";
    const best = strongest(scores, 10, (token) => !special(token));
    drawBars(document.getElementById("strongest"), best.map((token) => (
      { name: this.explained.tokenText(token), value: scores[token], index: token })), shown,
      (token) => this.chooseToken(token, true));
    this.drawLegend(scores.some((score) => score < 0));
    this.drawFacts(method);
    this.tell(this.token ?? best[0] ?? 0);
  }

  drawLegend(signed) {
    const legend = document.getElementById("legend");
    legend.className = signed ? "signed" : "";
    const ends = signed ? ["against", "for"] : ["little", "much"];
    legend.replaceChildren(element("span", "", ends[0]), element("span", "ramp"), element("span", "", ends[1]));
  }

  drawFacts(method) {
    const facts = [];
    if (method.target_label) facts.push(["explains", method.target_label]);
    if (method.faithfulness) {
      facts.push(["comprehensiveness", shown(method.faithfulness.comprehensiveness ?? 0),
        "What the answer loses without the strongest tokens: the more, the better they explain it"]);
      facts.push(["sufficiency", shown(method.faithfulness.sufficiency ?? 0),
        "What the answer loses with the strongest tokens alone: the less, the better they explain it"]);
      facts.push(["words taken out by", method.faithfulness.removal]);
    }
    if (method.completeness_error !== undefined) {
      facts.push(["completeness error", percent(method.completeness_error ?? 0)]);
    }
    document.getElementById("facts").replaceChildren(...facts.map(([name, value, meaning]) => {
      const fact = element("div", "", element("dt", "", name), element("dd", "", ...spelledOut(value)));
      if (meaning) fact.title = meaning;
      return fact;
    }));
  }

  // ---- Tokens ----

  tell(index) {
    const token = this.explained.tokens[index];
    if (!token) return;
    this.token = index;
    const { scores } = this.method;
    const rank = 1 + scores.reduce((count, score) => count + (Math.abs(score) > Math.abs(scores[index])), 0);
    document.getElementById("detail").replaceChildren(element("b", "", ...spelledOut(token.text)),
      ` token ${index}, score ${shown(scores[index])}, ${rank} of ${scores.length}`);
  }

  chooseToken(index, focus) {
    this.text.choose(index, true, focus);
    this.tell(index);
  }

  // The scores of a long text along its tokens; a bar has the greatest of its tokens.
  drawOverview() {
    const canvas = document.getElementById("overview");
    canvas.hidden = !this.method || this.explained.tokens.length < OVERVIEW_FROM;
    if (canvas.hidden) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale));
    canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale));
    const { scores } = this.method, { tokens } = this.explained;
    const bars = new Float64Array(canvas.width);
    let top = 0;
    scores.forEach((score, index) => {
      if (tokens[index].special) return;
      const bar = Math.floor(index * bars.length / scores.length);
      if (Math.abs(score) > Math.abs(bars[bar])) bars[bar] = score;
      top = Math.max(top, Math.abs(score));
    });
    const colours = [readColour("--for"), readColour("--against")], context = canvas.getContext("2d");
    const wide = Math.max(1, Math.ceil(bars.length / scores.length));
    bars.forEach((score, bar) => {
      const height = Math.abs(score) / (top || 1) * canvas.height;
      context.fillStyle = colours[Number(score < 0)];
      if (score) context.fillRect(bar, canvas.height - height, wide, height);
    });
  }
}

const page = new Page();
