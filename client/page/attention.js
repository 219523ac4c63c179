// Attention: a small picture of each head, one of them large, and one of its rows told and painted over the text.

const THUMB_CELLS = 48;    // of a small picture, at most, to each side
const MAP_CELLS = 1024;    // of the large one
const LABELS_MAX = 40;     // tokens that are named along its sides
const RAMP_STEPS = 256;

// The colours of weights from 0 to the greatest, in this theme.
function readRamp() {
  const stops = [0, 1, 2, 3].map((stop) => readColour(`--weight-${stop}`).match(/\d+/g).map(Number));
  const ramp = new Uint8ClampedArray(RAMP_STEPS * 4);
  for (let step = 0; step < RAMP_STEPS; step++) {
    const at = step / (RAMP_STEPS - 1) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let part = 0; part < 3; part++) {
      ramp[step * 4 + part] = stops[low][part] + (at - low) * (stops[low + 1][part] - stops[low][part]);
    }
    ramp[step * 4 + 3] = 255;
  }
  return ramp;
}

// Draws a head's weights; where there are more than cells, a cell has the greatest of its weights.
function drawMap(canvas, map, cells, ramp) {
  const height = Math.min(cells, map.rows.length), width = Math.min(cells, map.tokenCount);
  const greatest = new Float32Array(width * height);
  for (let row = 0; row < map.rows.length; row++) {
    const line = Math.floor(row * height / map.rows.length) * width;
    map.visit(row, (column, weight) => {
      const cell = line + Math.floor(column * width / map.tokenCount);
      if (weight > greatest[cell]) greatest[cell] = weight;
    });
  }
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let cell = 0; cell < greatest.length; cell++) {
    // The square root: of many small weights something is seen beside a large one.
    const step = Math.round(Math.sqrt(greatest[cell] / (map.top || 1)) * (RAMP_STEPS - 1)) * 4;
    for (let part = 0; part < 4; part++) image.data[cell * 4 + part] = ramp[step + part];
  }
  context.putImageData(image, 0, 0);
}

class Attention {
  constructor(explained) {
    this.explained = explained;
    this.maps = explained.maps;
    this.section = document.getElementById("attention");
    this.section.hidden = this.maps.length === 0;
    if (!this.maps.length) return;
    this.ramp = readRamp();
    this.row = 0;
    this.column = 0;
    this.text = new TokenText(document.getElementById("row-text"), explained, "The text, coloured by the row",
      (index, clicked) => { if (clicked) this.chooseToken(index); });
    this.fillHeads();
    this.listen();
    this.chooseHead(0, false);
  }

  // ---- The heads ----

  fillHeads() {
    const host = document.getElementById("heads");
    const layers = [...new Set(this.maps.map((map) => map.layer))];
    const heads = [...new Set(this.maps.map((map) => map.head))];
    this.places = this.maps.map((map) => [layers.indexOf(map.layer), heads.indexOf(map.head)]);
    host.style.setProperty("--heads", heads.length);
    host.classList.toggle("many", heads.length > 6);
    host.classList.toggle("strips", this.maps[0].rows.length === 1);
    const label = (text) => element("span", "heads-label", text);
    const cells = [label(""), ...heads.map((head) => label(`head ${head}`))];
    this.thumbs = this.maps.map((map, index) => this.thumb(map, index));
    layers.forEach((layer, line) => {
      cells.push(label(`layer ${layer}`));
      heads.forEach((_, column) => {
        const index = this.places.findIndex(([y, x]) => y === line && x === column);
        cells.push(index < 0 ? element("span", "") : this.thumbs[index]);
      });
    });
    host.replaceChildren(...cells);
    host.onkeydown = (event) => this.headKey(event);
    this.drawThumbs(0);
  }

  thumb(map, index) {
    const button = element("button", "thumb", document.createElement("canvas"));
    button.type = "button";
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", `Layer ${map.layer}, head ${map.head}`);
    button.title = `layer ${map.layer}, head ${map.head}`;
    button.onclick = () => this.chooseHead(index, true);
    return button;
  }

  // A few at a time, so that the page answers in between.
  drawThumbs(first) {
    const started = performance.now(), mine = this.drawing = {};
    let index = first;
    while (index < this.maps.length && performance.now() - started < 12) {
      drawMap(this.thumbs[index].firstChild, this.maps[index], THUMB_CELLS, this.ramp);
      index++;
    }
    if (index < this.maps.length) requestAnimationFrame(() => { if (this.drawing === mine) this.drawThumbs(index); });
  }

  headKey(event) {
    const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const [line, column] = this.places[this.head];
    const next = this.places.findIndex(([y, x]) => y === line + step[0] && x === column + step[1]);
    if (next >= 0) this.chooseHead(next, true);
  }

  chooseHead(index, focus) {
    this.head = index;
    this.map = this.maps[index];
    this.thumbs.forEach((thumb, other) => {
      thumb.setAttribute("aria-checked", String(other === index));
      thumb.tabIndex = other === index ? 0 : -1;
    });
    if (focus) this.thumbs[index].focus();
    document.getElementById("map-title").textContent = `Layer ${this.map.layer}, head ${this.map.head}`;
    this.drawLarge();
    this.chooseRow(Math.min(this.row, this.map.rows.length - 1), this.column);
  }

  // ---- The large map ----

  drawLarge() {
    const canvas = document.getElementById("map-canvas");
    drawMap(canvas, this.map, MAP_CELLS, this.ramp);
    const field = document.getElementById("map-field");
    field.style.setProperty("--rows", this.map.rows.length);
    field.style.setProperty("--columns", this.map.tokenCount);
    field.classList.toggle("strip", this.map.rows.length === 1);
    canvas.classList.toggle("smooth", this.map.tokenCount > MAP_CELLS);
    const few = this.map.tokenCount <= LABELS_MAX;
    document.getElementById("map").classList.toggle("named", few);
    const name = (index) => element("span", "", ...spelledOut(this.explained.tokens[index].text));
    const rows = few && !this.map.pooled ? [...this.map.rows].map(name) : [];
    const columns = few ? this.explained.tokens.map((_, index) => name(index)) : [];
    document.getElementById("map-rows").replaceChildren(...rows);
    document.getElementById("map-columns").replaceChildren(...columns);
  }

  rowName(row) {
    if (this.map.pooled) return "the row that the answer is read from";
    return `\u201C${this.explained.tokens[this.map.rows[row]].text}\u201D, token ${this.map.rows[row]}`;
  }

  chooseRow(row, column) {
    const weights = this.map.weights(row);
    this.row = row;
    this.column = column;
    const field = document.getElementById("map-field");
    field.style.setProperty("--row", row);
    field.style.setProperty("--column", column);
    const key = this.explained.tokens[column];
    document.getElementById("row-title").replaceChildren(...spelledOut(
      `Of ${this.rowName(row)}, ${percent(weights[column])} go to \u201C${key.text}\u201D, token ${column}.`));
    drawBars(document.getElementById("row-bars"), strongest(weights, 8).map((index) => (
      { name: this.explained.tokenText(index), value: weights[index], index })), percent, null);
    const dropped = this.map.dropped[row];
    document.getElementById("row-rest").textContent =
      dropped > 0.0005 ? `${percent(dropped)} of the row is not on this page.` : "";
    const title = document.getElementById("row-text-title");
    title.replaceChildren(...spelledOut(`The text as seen by ${this.rowName(row)}`));
    this.text.paint(weights);
    if (!this.map.pooled) this.text.choose(this.map.rows[row], true, false);
  }

  chooseToken(index) {
    const row = this.map.rows.indexOf(index);
    if (row >= 0 && !this.map.pooled) this.chooseRow(row, this.column);
  }

  listen() {
    const field = document.getElementById("map-field");
    field.onpointermove = (event) => {
      const box = field.getBoundingClientRect();
      const row = Math.floor((event.clientY - box.top) / box.height * this.map.rows.length);
      const column = Math.floor((event.clientX - box.left) / box.width * this.map.tokenCount);
      this.pointed = [this.clampRow(row), this.clampColumn(column)];
      if (!this.waiting) requestAnimationFrame(() => { this.waiting = false; this.chooseRow(...this.pointed); });
      this.waiting = true;
    };
    field.onkeydown = (event) => {
      const steps = {
        ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1],
        PageDown: [10, 0], PageUp: [-10, 0], Home: [-Infinity, 0], End: [Infinity, 0],
      };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      this.chooseRow(this.clampRow(this.row + step[0]), this.clampColumn(this.column + step[1]));
    };
  }

  clampRow(row) {
    return Math.max(0, Math.min(this.map.rows.length - 1, row));
  }

  clampColumn(column) {
    return Math.max(0, Math.min(this.map.tokenCount - 1, column));
  }

  // After a change of the theme.
  redraw() {
    if (!this.maps.length) return;
    this.ramp = readRamp();
    this.drawThumbs(0);
    drawMap(document.getElementById("map-canvas"), this.map, MAP_CELLS, this.ramp);
  }
}
