"use strict";
// What the page explains: an entry for each script element of the class "explained", decoded when it is first shown.

const METHODS = {
  "attention": "The mean of all attention weights on this page: how much is looked at a token. It need not be why.",
  "value-norm": "How long the vector is that a token's values add to the row which the answer is read from, the " +
    "mean over the layers (Kobayashi et al. 2020).",
  "rollout": "Attention followed through all layers, half of each layer passing a token by (Abnar and Zuidema 2020).",
  "occlusion": "How much the answer falls when the token alone is taken out.",
  "gradient-input": "The gradient of the answer by a token's embedding, times the embedding.",
  "integrated-gradients": "The gradient on the way from a text of mask tokens to this one; all scores together " +
    "make the difference of the two answers (Sundararajan et al. 2017).",
};

const SURROGATES = {
  "surrogate-linear": "A sum of words",
  "surrogate-tree": "A tree of words",
  "anchor-rule": "A rule that is enough",
};

function decodeBytes(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Little-endian numbers, as every machine writes them that this page meets.
function decodeAs(Kind, base64) {
  return new Kind(decodeBytes(base64).buffer);
}

// The attention of one head: rows of weights, each the root of its share of the greatest one, in 255 steps.
class HeadMap {
  constructor(data, tokenCount) {
    this.layer = data.layer;
    this.head = data.head;
    this.pooled = data.pooled;
    this.tokenCount = tokenCount;
    this.rows = data.rows === undefined ? Uint32Array.from({ length: tokenCount }, (_, row) => row)
      : decodeAs(Uint32Array, data.rows);
    this.tops = decodeAs(Float32Array, data.tops);
    this.dropped = decodeAs(Float32Array, data.dropped);
    this.values = decodeBytes(data.values);
    this.ends = data.ends === undefined ? null : decodeAs(Uint32Array, data.ends);
    const Columns = tokenCount <= 0xFFFF ? Uint16Array : Uint32Array;
    this.columns = data.columns === undefined ? null : decodeAs(Columns, data.columns);
    this.top = this.tops.reduce((top, value) => Math.max(top, value), 0);
  }

  begin(row) {
    return this.ends ? (row ? this.ends[row - 1] : 0) : row * this.tokenCount;
  }

  // Calls visit(column, weight) for each key of a row that has a weight here.
  visit(row, visit) {
    const begin = this.begin(row), end = this.ends ? this.ends[row] : begin + this.tokenCount;
    const step = this.tops[row] / (255 * 255);
    for (let i = begin; i < end; i++) {
      if (this.values[i]) visit(this.columns ? this.columns[i] : i - begin, this.values[i] ** 2 * step);
    }
  }

  weights(row) {
    const weights = new Float32Array(this.tokenCount);
    this.visit(row, (column, weight) => { weights[column] = weight; });
    return weights;
  }
}

class Explained {
  constructor(data) {
    Object.assign(this, data);
    this.bytes = [decodeBytes(data.text), decodeBytes(data.pair)];
    this.maps = data.maps.map((map) => new HeadMap(map, data.tokens.length));
    this.methods = this.attributions.map((one) => ({ ...one, scores: one.scores.map((score) => score ?? 0) }));
    if (this.maps.length) this.methods.push(this.meanAttention());
  }

  meanAttention() {
    const scores = new Array(this.tokens.length).fill(0);
    let rowCount = 0;
    for (const map of this.maps) {
      for (let row = 0; row < map.rows.length; row++) map.visit(row, (column, weight) => { scores[column] += weight; });
      rowCount += map.rows.length;
    }
    return { method: "attention", target_label: "", scores: scores.map((score) => score / (rowCount || 1)) };
  }

  // What a token stands for in the text as it was sent.
  tokenText(index) {
    const token = this.tokens[index];
    const bytes = this.bytes[token.segment] ?? this.bytes[0];
    if (token.special || token.byte_begin >= token.byte_end) return token.text;
    return new TextDecoder().decode(bytes.subarray(token.byte_begin, token.byte_end));
  }
}
