// New files of a procedure, as they begin, and the manifest that lists them.

const xml = (text) => text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);

const KINDS = {
  diagram: { list: 'shared', path: (key) => `shared/${key}.bpmn`, text: diagram },
  form: { list: 'forms', path: (key) => `forms/${key}.json`, text: form },
  table: { list: 'decisions', path: (key) => `decisions/${key}.dmn`, text: table },
};

/** Return `{ path, text, list }` of a new file. */
export function fresh(kind, key, name, nameEn) {
  const { path, text, list } = KINDS[kind];
  return { path: path(key), text: text(key, name, nameEn), list };
}

/** Return which list of the manifest names a file, and as what; undefined for those it does not list. */
export function listed(path) {
  for (const { list, path: at } of Object.values(KINDS)) {
    const key = /([^/]+)\.\w+$/.exec(path)?.[1];
    if (key && at(key) === path) return { list, key };
  }
  return undefined;
}

/** Return the manifest with a key added to one of its lists, its other lines as they are. */
export function withKey(manifest, list, key) {
  const found = listAt(manifest, list);
  if (!found) return `${manifest.replace(/\n*$/, '\n')}${list} = ["${key}"]\n`;
  const inside = manifest.slice(found.from, found.to);
  if (new RegExp(`["']${key}["']`).test(inside)) return manifest;
  const kept = inside.replace(/[\s,]*$/, '');
  const added = kept.trim() ? `${kept}, "${key}"` : `"${key}"`;
  return manifest.slice(0, found.from) + added + (/\n\s*$/.test(inside) ? ',\n' : '') + manifest.slice(found.to);
}

/** Return the manifest without a key in one of its lists. */
export function withoutKey(manifest, list, key) {
  const found = listAt(manifest, list);
  if (!found) return manifest;
  return manifest.slice(0, found.from) + manifest.slice(found.from, found.to).replace(new RegExp(`\\s*["']${key}["']\\s*,?`), '') + manifest.slice(found.to);
}

function listAt(manifest, list) {
  const start = new RegExp(`^${list}\\s*=\\s*\\[`, 'm').exec(manifest);
  if (!start) return undefined;
  const from = start.index + start[0].length;
  const to = manifest.indexOf(']', from);
  return to < 0 ? undefined : { from, to };
}

function form(key, name, nameEn) {
  return `${JSON.stringify({
    type: 'default', id: key, schemaVersion: 18, components: [], pingshen: { title: name, title_en: nameEn, audience: 'case', source: '' },
  }, null, 2)}\n`;
}

function diagram(key, name, nameEn) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI" xmlns:ps="urn:pingshen:bpmn" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="definitions_${key}" targetNamespace="urn:pingshen:procedures">
  <bpmn:collaboration id="collaboration_${key}">
    <bpmn:participant id="pool_${key}" name="${xml(name)}" processRef="${key}" />
  </bpmn:collaboration>
  <bpmn:process id="${key}" name="${xml(name)}" ps:name_en="${xml(nameEn)}" isExecutable="true">
    <bpmn:laneSet id="lanes_${key}">
      <bpmn:lane id="qc_officer" name="妇幼机构质控员">
        <bpmn:flowNodeRef>${key}_begins</bpmn:flowNodeRef>
        <bpmn:flowNodeRef>${key}_ends</bpmn:flowNodeRef>
      </bpmn:lane>
    </bpmn:laneSet>
    <bpmn:startEvent id="${key}_begins" name="开始" ps:name_en="Begins">
      <bpmn:outgoing>flow_${key}_begins_${key}_ends</bpmn:outgoing>
    </bpmn:startEvent>
    <bpmn:endEvent id="${key}_ends" name="结束" ps:name_en="Ends">
      <bpmn:incoming>flow_${key}_begins_${key}_ends</bpmn:incoming>
    </bpmn:endEvent>
    <bpmn:sequenceFlow id="flow_${key}_begins_${key}_ends" sourceRef="${key}_begins" targetRef="${key}_ends" />
  </bpmn:process>
  <bpmndi:BPMNDiagram id="diagram_${key}">
    <bpmndi:BPMNPlane id="plane_${key}" bpmnElement="collaboration_${key}">
      <bpmndi:BPMNShape id="pool_${key}_di" bpmnElement="pool_${key}" isHorizontal="true">
        <dc:Bounds x="160" y="80" width="720" height="220" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="lane_qc_officer_${key}_di" bpmnElement="qc_officer" isHorizontal="true">
        <dc:Bounds x="190" y="80" width="690" height="220" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="${key}_begins_di" bpmnElement="${key}_begins">
        <dc:Bounds x="262" y="172" width="36" height="36" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNShape id="${key}_ends_di" bpmnElement="${key}_ends">
        <dc:Bounds x="782" y="172" width="36" height="36" />
      </bpmndi:BPMNShape>
      <bpmndi:BPMNEdge id="flow_${key}_begins_${key}_ends_di" bpmnElement="flow_${key}_begins_${key}_ends">
        <di:waypoint x="298" y="190" />
        <di:waypoint x="782" y="190" />
      </bpmndi:BPMNEdge>
    </bpmndi:BPMNPlane>
  </bpmndi:BPMNDiagram>
</bpmn:definitions>
`;
}

function table(key, name) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:dmndi="https://www.omg.org/spec/DMN/20191111/DMNDI/" xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/" id="definitions_${key}" name="${xml(name)}" namespace="urn:pingshen:dmn:${key}">
  <decision id="${key}" name="${key}">
    <variable id="variable_${key}" name="${key}" typeRef="string" />
    <decisionTable id="table_${key}" hitPolicy="UNIQUE">
      <input id="input_1" label="">
        <inputExpression id="input_expression_1" typeRef="string"><text>case.kind</text></inputExpression>
      </input>
      <output id="output_1" name="${key}" typeRef="string" />
    </decisionTable>
  </decision>
  <dmndi:DMNDI>
    <dmndi:DMNDiagram id="diagram_${key}">
      <dmndi:DMNShape id="shape_${key}" dmnElementRef="${key}"><dc:Bounds x="160" y="80" width="180" height="80" /></dmndi:DMNShape>
    </dmndi:DMNDiagram>
  </dmndi:DMNDI>
</definitions>
`;
}
