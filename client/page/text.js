// A text whose tokens are coloured, told and walked through. Texts reach the page as text nodes only.

const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0\u034F]/u;
const FLAG = "\u{1F3F4}", TAG = /[\u{E0020}-\u{E007F}]/u;
const JOINERS = new Set(["\u200C", "\u200D"]);

function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// A colour of the style sheet as this theme has it: "rgb(1, 2, 3)".
function readColour(name) {
  const probe = document.getElementById("probe");
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

// What cannot be seen, or would turn the line around, is spelled out; joiners stay between letters that they join, tags
// behind the flag that they are of.
function spelledOut(text) {
  const parts = [];
  const characters = [...text];
  let plain = "", flag = false;
  characters.forEach((character, index) => {
    const between = [characters[index - 1] ?? "a", characters[index + 1] ?? "a"];
    const joins = JOINERS.has(character) && between.every((neighbour) => neighbour > "\x7F");
    flag = character === FLAG || (flag && TAG.test(character));
    if (!UNSEEN.test(character) || character === "\n" || character === "\t" || joins || flag) {
      plain += character;
      return;
    }
    if (plain) parts.push(plain);
    plain = "";
    const code = character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(element("span", "unseen-character", `U+${code}`));
  });
  if (plain) parts.push(plain);
  return parts;
}

// Numbers as people read them: three digits, and a true minus.
function shown(number) {
  const size = Math.abs(number);
  const text = size !== 0 && size < 0.001 ? size.toExponential(1) : size.toPrecision(3);
  return (number < 0 ? "\u2212" : "") + text;
}

function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.01) return "< 0.01 %";
  return `${value >= 10 || value === 0 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toPrecision(2)} %`;
}

class TokenText {
  // onChoose(index): a token was pointed at, clicked or reached by a key.
  constructor(host, explained, name, onChoose) {
    this.host = host;
    this.explained = explained;
    this.onChoose = onChoose;
    this.marks = [];     // in reading order: {node, tokens: [indices]}
    this.markOf = [];    // of a token
    this.current = -1;
    host.className = "token-text";
    host.setAttribute("role", "group");
    host.setAttribute("aria-label", name);
    host.replaceChildren(this.fill());
    host.onclick = (event) => this.point(event, true);
    host.onpointerover = (event) => this.point(event, false);
    host.onkeydown = (event) => this.key(event);
    if (this.marks.length) this.marks[0].node.tabIndex = 0;
  }

  fill() {
    const fragment = document.createDocumentFragment();
    const ends = [0, 0];
    let block = null, segment = -1;
    this.explained.tokens.forEach((token, index) => {
      const side = token.segment ? 1 : 0;
      if (side !== segment) {
        if (block) this.gap(block, segment, ends, Infinity);
        segment = side;
        block = fragment.appendChild(element("p", "segment"));
        block.dir = "auto";
      }
      const placed = !token.special && token.byte_begin < token.byte_end;
      if (placed && token.byte_end <= ends[side] && this.marks.length) {
        this.marks[this.marks.length - 1].tokens.push(index); // one of several tokens of the same character
        this.markOf[index] = this.marks.length - 1;
        return;
      }
      if (placed) this.gap(block, side, ends, token.byte_begin);
      this.mark(block, index, placed, placed ? Math.max(ends[side], token.byte_begin) : 0);
      if (placed) ends[side] = token.byte_end;
    });
    if (block) this.gap(block, segment, ends, Infinity);
    return fragment;
  }

  slice(side, begin, end) {
    return new TextDecoder().decode(this.explained.bytes[side].subarray(begin, end));
  }

  // What stands between tokens. A chunk shows its own part of the text alone.
  gap(block, side, ends, begin) {
    const before = ends[side] === 0 && this.explained.chunk > 0;
    if (begin === Infinity) begin = this.explained.chunked ? ends[side] : this.explained.bytes[side].length;
    if (!before && begin > ends[side]) block.append(...spelledOut(this.slice(side, ends[side], begin)));
    ends[side] = Math.max(ends[side], begin);
  }

  mark(block, index, placed, begin) {
    const token = this.explained.tokens[index];
    const node = element("span", placed ? "token" : "token chip");
    node.append(...spelledOut(placed ? this.slice(token.segment ? 1 : 0, begin, token.byte_end) : token.text));
    node.dataset.mark = this.marks.length;
    node.tabIndex = -1;
    this.markOf[index] = this.marks.length;
    this.marks.push({ node, tokens: [index], level: 0 });
    block.append(node, ...(placed ? [] : [" "]));
  }

  // Colours by scores; against the greatest of the text's own tokens.
  paint(scores) {
    let top = 0;
    this.explained.tokens.forEach((token, index) => {
      if (!token.special) top = Math.max(top, Math.abs(scores[index]));
    });
    if (!top) top = scores.reduce((most, score) => Math.max(most, Math.abs(score)), 0) || 1;
    for (const mark of this.marks) {
      let score = 0;
      for (const index of mark.tokens) if (Math.abs(scores[index]) > Math.abs(score)) score = scores[index];
      const level = Math.sign(score) * Math.round(50 * Math.min(1, Math.abs(score) / top));
      if (level === mark.level) continue;
      mark.level = level;
      mark.node.style.setProperty("--heat", `${2 * Math.abs(level)}%`);
      mark.node.classList.toggle("against", level < 0);
    }
  }

  choose(index, scroll, focus) {
    const next = this.markOf[index];
    if (next === undefined) return;
    if (this.current >= 0) {
      this.marks[this.current].node.classList.remove("current");
      this.marks[this.current].node.tabIndex = -1;
    } else if (this.marks.length) {
      this.marks[0].node.tabIndex = -1;
    }
    this.current = next;
    const { node } = this.marks[next];
    node.classList.add("current");
    node.tabIndex = 0;
    if (focus) node.focus({ preventScroll: true });
    if (scroll) this.reveal(node);
  }

  // Within the text's own box: the page stays where it is.
  reveal(node) {
    const box = this.host.getBoundingClientRect(), place = node.getBoundingClientRect();
    if (place.top < box.top) this.host.scrollTop -= box.top - place.top + 40;
    else if (place.bottom > box.bottom) this.host.scrollTop += place.bottom - box.bottom + 40;
  }

  point(event, clicked) {
    const node = event.target.closest(".token");
    if (!node) return;
    const { tokens } = this.marks[Number(node.dataset.mark)];
    this.choose(tokens[0], false, clicked);
    this.onChoose(tokens[0], clicked);
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10, ArrowUp: -10, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const next = Math.min(this.marks.length - 1, Math.max(0, Math.max(this.current, 0) + step));
    const index = this.marks[next].tokens[0];
    this.choose(index, true, true);
    this.onChoose(index, true);
  }
}

// Bars with their names and numbers, the longest first: [{name, value, index}].
function drawBars(host, bars, format, onChoose) {
  const top = bars.reduce((most, bar) => Math.max(most, Math.abs(bar.value)), 0) || 1;
  host.replaceChildren(...bars.map((bar) => {
    const name = element("span", "bar-name", ...spelledOut(bar.name.trim() || "\u2423"));
    const line = element("span", bar.value < 0 ? "bar against" : "bar");
    line.style.setProperty("--share", `${100 * Math.abs(bar.value) / top}%`);
    const value = element("span", "bar-value", format(bar.value));
    const row = element(onChoose ? "button" : "span", "bar-row", name, line, value);
    if (onChoose) {
      row.type = "button";
      row.onclick = () => onChoose(bar.index);
    }
    return element("li", "", row);
  }));
}

function strongest(scores, count, keep = () => true) {
  return [...scores.keys()].filter((index) => scores[index] && keep(index))
    .sort((a, b) => Math.abs(scores[b]) - Math.abs(scores[a])).slice(0, count);
}
