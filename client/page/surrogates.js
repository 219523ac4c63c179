// Simple models of the model: a sum, a tree, a rule.

function drawTree(surrogate, index) {
  const node = surrogate.nodes[index];
  if (node.if_true < 0) {
    return element("span", "leaf", element("b", "", percent(node.value ?? 0)), ` of ${node.sample_count} samples`);
  }
  const branch = (name, child) => element("li", "", element("span", "branch", name), drawTree(surrogate, child));
  return element("div", "node", element("span", "condition", ...spelledOut(node.condition), "?"),
    element("ul", "", branch("yes", node.if_true), branch("no", node.if_false)));
}

function drawRule(surrogate, answer) {
  const target = surrogate.target_label;
  const label = element("b", "", ...spelledOut(target || "the same"));
  const conditions = surrogate.rule.map((condition) => element("li", "", ...spelledOut(condition)));
  return element("div", "", element("p", "", "Whatever else is in the text: if it"),
    element("ul", "rule", ...conditions),
    target && answer && target !== answer
      ? element("p", "", "then the score of ", label, " stays on its side of the middle.")
      : element("p", "", "then the answer is ", label, "."));
}

function drawSurrogate(surrogate, answer) {
  const card = element("article", "surrogate", element("h3", "", SURROGATES[surrogate.method] ?? surrogate.method));
  if (surrogate.nodes.length) card.append(drawTree(surrogate, 0));
  if (surrogate.rule.length) card.append(drawRule(surrogate, answer));
  if (surrogate.weights.length) {
    const bars = card.appendChild(element("ol", "bars"));
    const places = (surrogate.segments ?? []).map((segment) => segment ? " in the pair" : " in the text");
    const terms = surrogate.features.map((name, index) => ({ name: name + (places[index] ?? ""),
      value: surrogate.weights[index] ?? 0 }));
    drawBars(bars, terms, shown, null);
  }
  const quality = {
    "surrogate-linear": "weighted R\u00B2", "surrogate-tree": "agreement", "anchor-rule": "precision",
  };
  const facts = [`${quality[surrogate.method] ?? "fidelity"} ${shown(surrogate.fidelity ?? 0)}`];
  if (surrogate.rule.length) facts.push(`coverage ${shown(surrogate.coverage ?? 0)}`);
  facts.push(`${surrogate.sample_count} samples`);
  card.append(element("p", "hint", facts.join(", ")));
  return card;
}

function drawSurrogates(explained) {
  const answer = explained.labels[0]?.label ?? "";
  document.getElementById("surrogates").hidden = explained.surrogates.length === 0;
  document.getElementById("surrogate-list").replaceChildren(
    ...explained.surrogates.map((surrogate) => drawSurrogate(surrogate, answer)));
}
