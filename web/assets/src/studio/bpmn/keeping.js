// What other tools wrote and the editor does not read is kept: it reads ids in Latin letters, each once, and references without prefixes;
// comments, elements that it does not know and shapes of nothing it leaves out. They go back to where they stood when the diagram is written.
const MODEL = 'http://www.omg.org/spec/BPMN/20100524/MODEL', DI = 'http://www.omg.org/spec/BPMN/20100524/DI';
const ID = /^([a-z][\w.-]*:)?[a-z_][\w.-]*$/i;
const FLOWS = new Set(['sequenceFlow', 'messageFlow', 'association', 'dataInputAssociation', 'dataOutputAssociation', 'conversationLink']);
/** What a drawing can be of. */
const ROOTS = /^(process|collaboration|choreography|globalChoreographyTask|subProcess|adHocSubProcess|transaction)$/;
/** Children that the editor works out anew. */
const COMPUTED = new Set(['incoming', 'outgoing', 'flowNodeRef']);
const WORDS = new Set(['id', 'name', 'calledElement', 'targetNamespace', 'exporter', 'exporterVersion', 'textFormat', 'location', 'namespace']);

/** A declared namespace. A reader refuses one that is no address, with a blank in it, say. */
const SPACE = /(\sxmlns(?::[^\s=]+)?\s*=\s*["'])([^"'<]*)(["'])/g;
const encoded = (uri) => uri.replace(/%(?![0-9a-f]{2})|[^\w\-.~:/?#[\]@!$&()*+,;=%]/gi, encodeURIComponent);

const parse = (text) => new DOMParser().parseFromString(text, 'application/xml');
const isBroken = (tree) => tree.getElementsByTagName('parsererror').length > 0;
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
/** Line ends within words: as a text holds them they would be read as blanks. */
const framed = (xml) => xml.replace(/<!\[CDATA\[[^]*?\]\]>|\r/g, (found) => (found === '\r' ? '&#13;' : found));
const kindOf = (node) => `${node.namespaceURI}|${node.localName}`;
const isDrawing = (node) => /\/(DI|DC)$/.test(node.namespaceURI ?? '');

/**
 * Prepare a diagram for the editor.
 *
 * @return `text` for the editor; `own(id)`: by which id an element stands in the editor; `theirs(id)`: the id that it is written with;
 *   `learn(xml)`: what the editor wrote before anything was changed; `restore(xml)`: what it writes with all that was kept
 */
export function keep(text) {
  const spaces = new Map();
  text = text.replace(SPACE, (whole, head, uri, end) => { const legal = encoded(uri); spaces.set(legal, uri); return head + legal + end; });
  const asIs = { text, own: (id) => id, theirs: (id) => id, learn() {}, restore: (xml) => spaced(framed(xml)) };
  const tree = parse(text);
  if (isBroken(tree)) return asIs;
  const elements = [...tree.getElementsByTagName('*')].filter(({ namespaceURI }) => namespaceURI === MODEL || namespaceURI === DI);
  const stem = free('kept_', text);
  const given = new Map(), used = new Map(), rewritten = [], lost = [], changed = [];
  rename();
  follow();
  const back = new RegExp(`${stem}(\\d+)(?![\\w.-])`, 'g');
  return {
    text: prepared(),
    own: (id) => given.get(id) ?? id,
    theirs: (id) => used.get(id) ?? id,
    learn,
    restore,
  };

  /** Return the text for the editor: without the lines whose ends are not drawn, which it could not draw either. */
  function prepared() {
    const byId = new Map(elements.map((element) => [element.getAttribute('id'), element]));
    const drawn = new Set(elements.map((element) => element.getAttribute('bpmnElement')));
    const hidden = elements.filter((element) => {
      const flow = element.localName === 'BPMNEdge' ? byId.get(element.getAttribute('bpmnElement')) : undefined;
      return flow && ['sourceRef', 'targetRef'].some((name) => flow.hasAttribute(name) && !drawn.has(flow.getAttribute(name)));
    }).map((element) => [element, tree.createComment('')]);
    if (!used.size && !rewritten.length && !hidden.length && !text.includes('\r')) return text;
    for (const [element, place] of hidden) element.replaceWith(place);
    const ready = written(tree, text);
    for (const [element, place] of hidden) place.replaceWith(element);
    return ready;
  }

  /** Give other ids to those that the editor does not take: in other letters, and the second of two. */
  function rename() {
    const seen = new Map();
    for (const element of elements) {
      const id = element.getAttribute('id');
      if (!id) continue;
      const first = seen.get(id);
      if (!first) seen.set(id, element);
      if (!first && ID.test(id)) continue;
      const alias = `${stem}${used.size + 1}`;
      used.set(alias, id);
      element.setAttribute('id', alias);
      if (!first) given.set(id, alias);
      else if (FLOWS.has(element.localName) && !FLOWS.has(first.localName)) refer(id, alias, (owner, name) => isOfFlow(owner, name));
      else if (!FLOWS.has(element.localName) && FLOWS.has(first.localName)) refer(given.get(id) ?? id, alias, (owner, name) => !isOfFlow(owner, name));
    }
    for (const [id, alias] of given) refer(id, alias, () => true);
  }

  function isOfFlow(owner, name) {
    return name === 'default' || ['incoming', 'outgoing'].includes(owner.localName) || (owner.localName === 'BPMNEdge' && name === 'bpmnElement');
  }

  function refer(id, alias, isMeant) {
    for (const element of elements) {
      for (const { name, value, namespaceURI } of [...element.attributes]) {
        if (value === id && !namespaceURI && !WORDS.has(name) && isMeant(element, name)) element.setAttribute(name, alias);
      }
      if (isReference(element) && element.textContent.trim() === id && isMeant(element, '')) element.textContent = alias;
    }
  }

  function isReference(element) {
    return element.namespaceURI === MODEL && !element.firstElementChild && (/Refs?$/.test(element.localName) || ['incoming', 'outgoing'].includes(element.localName));
  }

  /** Take references to what they mean: without the prefix of their namespace, and a pool that is drawn as its process as the pool. */
  function follow() {
    const ids = new Set(elements.map((element) => element.getAttribute('id')).filter(Boolean));
    const meant = (value) => {
      const plain = /^[\w.-]+:(.+)$/.exec(value)?.[1];
      return plain && !ids.has(value) && ids.has(plain) ? plain : undefined;
    };
    const pools = new Map();
    for (const element of elements) if (element.localName === 'participant') pools.set(element.getAttribute('processRef'), element.getAttribute('id'));
    const drawn = new Set(elements.map((element) => element.getAttribute('bpmnElement')));
    const processes = new Set(elements.filter(({ localName }) => localName === 'process').map((element) => element.getAttribute('id')));
    const [plane] = elements.filter(({ localName }) => localName === 'BPMNPlane'), root = plane && rootOf(plane.getAttribute('bpmnElement'));
    if (root) {
      rewritten.push({ element: plane, name: 'bpmnElement', was: plane.getAttribute('bpmnElement'), now: root });
      plane.setAttribute('bpmnElement', root);
    }
    for (const shape of openParts()) {
      rewritten.push({ element: shape, name: 'isExpanded', was: null, now: 'true' });
      shape.setAttribute('isExpanded', 'true');
    }
    for (const element of elements) {
      for (const { name, value, namespaceURI } of [...element.attributes]) {
        if (namespaceURI || WORDS.has(name)) continue;
        const pool = element.localName === 'BPMNShape' && name === 'bpmnElement' && processes.has(value) ? pools.get(value) : undefined;
        const now = pool && !drawn.has(pool) ? pool : meant(value);
        if (!now) continue;
        rewritten.push({ element, name, was: value, now });
        element.setAttribute(name, now);
      }
    }
  }

  /** Return what a drawing shows that names something else, the file itself, say: the pools, or the first process. */
  function rootOf(named) {
    const plain = named?.replace(/^[\w.-]+:/, '');
    if (elements.some((element) => ROOTS.test(element.localName) && [named, plain].includes(element.getAttribute('id')))) return undefined;
    const found = elements.find(({ localName }) => localName === 'collaboration') ?? elements.find(({ localName }) => localName === 'process');
    return found?.getAttribute('id') ?? undefined;
  }

  /** Return the shapes of subprocesses that do not say whether they are open, and whose steps are drawn inside them. */
  function openParts() {
    const shapes = new Map(elements.filter(({ localName }) => localName === 'BPMNShape').map((shape) => [shape.getAttribute('bpmnElement'), shape]));
    const box = (shape) => {
      const [bounds] = shape.getElementsByTagNameNS('*', 'Bounds');
      return ['x', 'y', 'width', 'height'].map((name) => Number(bounds?.getAttribute(name) ?? NaN));
    };
    return elements.filter(({ localName }) => /^(adHocSubProcess|subProcess|transaction)$/.test(localName)).flatMap((part) => {
      const shape = shapes.get(part.getAttribute('id'));
      const inner = [...part.children].map((child) => shapes.get(child.getAttribute('id'))).filter((other) => other && other.parentNode === shape?.parentNode);
      if (!shape || shape.hasAttribute('isExpanded') || !inner.length) return [];
      const [x, y, width, height] = box(shape);
      return inner.every((other) => { const [left, top, wide, high] = box(other); return left >= x && top >= y && left + wide <= x + width && top + high <= y + height; }) ? [shape] : [];
    });
  }

  /** Find out what of the diagram the editor leaves out, from what it wrote while nothing was changed yet. */
  function learn(xml) {
    const fresh = parse(framed(xml));
    if (isBroken(fresh)) return;
    const find = partners(tree, fresh);
    const isLaidOut = !tree.getElementsByTagNameNS(DI, 'BPMNShape').length && !tree.getElementsByTagNameNS(DI, 'BPMNEdge').length;
    const visit = (element, other) => {
      for (const { name, localName, value, namespaceURI } of element.attributes) {
        if (name === 'xmlns' || name.startsWith('xmlns:')) continue;
        const now = other.getAttributeNS(namespaceURI, localName);
        const isSame = now !== null && now !== value && now !== '' && value !== '' && Number(now) === Number(value);
        if (now === null || isSame) changed.push({ element, name, localName, namespaceURI, was: value, now });
      }
      for (const child of element.childNodes) {
        if (child.nodeType === Node.COMMENT_NODE || child.nodeType === Node.PROCESSING_INSTRUCTION_NODE) lost.push({ node: child, parent: element });
        else if (child.nodeType === Node.ELEMENT_NODE && !(child.namespaceURI === MODEL && COMPUTED.has(child.localName)) && !(isLaidOut && isDrawing(child))) {
          const same = find(child);
          if (same) visit(child, same);
          else if (![...child.getElementsByTagName('*')].some((inner) => inner.getAttribute('id') && find(inner))) lost.push({ node: child, parent: element });
        }
      }
    };
    visit(tree.documentElement, fresh.documentElement);
  }

  /** Put namespaces back that are no addresses. */
  function spaced(xml) {
    return xml.replace(SPACE, (whole, head, uri, end) => (spaces.has(uri) ? head + spaces.get(uri) + end : whole));
  }

  function restore(xml) {
    xml = framed(xml);
    const plain = () => spaced(xml.replace(back, (alias) => (used.has(alias) ? escaped(used.get(alias)) : alias)));
    if (!rewritten.length && !lost.length && !changed.length) return plain();
    const now = parse(xml);
    if (isBroken(now)) return plain();
    const find = partners(tree, now), placed = new Map();
    let isTouched = false;
    for (const { element, name, was, now: said } of rewritten) {
      const other = find(element);
      if (other?.getAttribute(name) !== said) continue;
      if (was === null) other.removeAttribute(name); else other.setAttribute(name, was);
      isTouched = true;
    }
    for (const { element, name, localName, namespaceURI, was, now: said } of changed) {
      const other = find(element);
      if (!other || other.getAttributeNS(namespaceURI, localName) !== said) continue;
      other.setAttributeNS(namespaceURI, name, was);
      isTouched = true;
    }
    for (const { node, parent } of lost) {
      const there = find(parent);
      if (!there || (node.nodeType === Node.ELEMENT_NODE && find(node))) continue;
      let before = node.previousSibling, after = null;
      while (before && !after) {
        after = placed.get(before) ?? (before.nodeType === Node.ELEMENT_NODE ? find(before) : null);
        if (after?.parentNode !== there) after = null;
        before = before.previousSibling;
      }
      const copy = now.importNode(node, true);
      const follower = after ? after.nextSibling : there.firstChild;
      const space = [...there.childNodes].find(({ nodeType, data }) => nodeType === Node.TEXT_NODE && /^\s*\n\s*$/.test(data))?.data ?? '\n';
      there.insertBefore(now.createTextNode(space), follower);
      there.insertBefore(copy, follower);
      placed.set(node, copy);
      isTouched = true;
    }
    if (isTouched) xml = written(now, xml);
    return plain();
  }
}

/** Return a finder: the element of one tree that is an element of the other, by its id or by its place among its like. */
function partners(one, other) {
  const found = new Map([[one.documentElement, other.documentElement]]);
  const ids = named(other), own = named(one);
  /** What tools call an id may stand for several of their own elements: those are told apart by their places. */
  const isNamed = (element) => { const key = nameOf(element); return key && ids.get(key) !== null && own.get(key) !== null; };
  const listed = new Map();
  const like = (parent, kind) => {
    if (!listed.has(parent)) {
      const kinds = new Map();
      for (const child of parent.children) if (!isNamed(child)) kinds.set(kindOf(child), [...(kinds.get(kindOf(child)) ?? []), child]);
      listed.set(parent, kinds);
    }
    return listed.get(parent).get(kind) ?? [];
  };
  return function find(element) {
    if (found.has(element)) return found.get(element);
    let same;
    if (isNamed(element)) same = ids.get(nameOf(element));
    else {
      const around = element.parentNode instanceof Element ? find(element.parentNode) : undefined;
      const kind = kindOf(element), ours = like(element.parentNode, kind), theirs = around ? like(around, kind) : [];
      if (ours.length === theirs.length) same = theirs[ours.indexOf(element)];
      else same = theirs.find((entry) => entry.textContent === element.textContent && [...element.attributes].every(({ name, value }) => entry.getAttribute(name) === value));
    }
    found.set(element, same);
    return same;
  };
}

/** By what an element is found again: its id, or in the drawing what it draws. */
function namesOf(element) {
  return ['id', 'bpmnElement'].filter((name) => element.getAttribute(name)).map((name) => `${kindOf(element)}|${name}|${element.getAttribute(name)}`);
}

const nameOf = (element) => namesOf(element)[0];

/** Return the elements of a tree by kind and id; null for those of which there are several. */
function named(tree) {
  const found = new Map();
  for (const element of tree.getElementsByTagName('*')) {
    for (const key of namesOf(element)) found.set(key, found.has(key) ? null : element);
  }
  return found;
}

/** Return a tree as text with the declaration that the text had. */
function written(tree, text) {
  const declaration = /^\uFEFF?\s*<\?xml[^>]*\?>\s*/.exec(text)?.[0] ?? '';
  return declaration + new XMLSerializer().serializeToString(tree).replace(/^<\?xml[^>]*\?>\s*/, '');
}

function free(stem, text) {
  while (text.includes(stem)) stem += '_';
  return stem;
}
