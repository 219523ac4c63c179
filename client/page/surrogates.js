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

function drawRule(surrogate, target) {
  const conditions = surrogate.rule.map((condition) => element("li", "", ...spelledOut(condition)));
  return element("div", "", element("p", "", "Whatever else is in the text: if it"),
    element("ul", "rule", ...conditions),
    element("p", "", "then the answer is ", element("b", "", ...spelledOut(target || "the same")), "."));
}

function drawSurrogate(surrogate, target) {
  const card = element("article", "surrogate", element("h3", "", SURROGATES[surrogate.method] ?? surrogate.method));
  if (surrogate.nodes.length) card.append(drawTree(surrogate, 0));
  if (surrogate.rule.length) card.append(drawRule(surrogate, target));
  if (surrogate.weights.length) {
    const bars = card.appendChild(element("ol", "bars"));
    const terms = surrogate.features.map((name, index) => ({ name, value: surrogate.weights[index] ?? 0 }));
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
  const named = explained.methods.map((method) => method.target_label).find((label) => label);
  const target = named ?? explained.labels[0]?.label ?? "";
  document.getElementById("surrogates").hidden = explained.surrogates.length === 0;
  document.getElementById("surrogate-list").replaceChildren(
    ...explained.surrogates.map((surrogate) => drawSurrogate(surrogate, target)));
}
