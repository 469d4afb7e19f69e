// How new elements are named and numbered: ids in snake_case, unique in the whole procedure; a lane is a role.
import { is, isAny } from 'bpmn-js/lib/util/ModelUtil';
import BpmnFactory from 'bpmn-js/lib/features/modeling/BpmnFactory';

const LANE_ROLES = ['qc_officer', 'facility_reporter', 'committee_member', 'committee_chair', 'investigator', 'mch_head'];

export function snake(words) {
  return words.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/[^A-Za-z0-9]+/g, '_').replace(/^_+|_+$/g, '').toLowerCase();
}

class Factory extends BpmnFactory {
  static $inject = ['moddle', 'config.studio'];

  constructor(moddle, studio) {
    super(moddle);
    this._studio = studio;
  }

  create(type, attrs) {
    const element = super.create(type, attrs);
    if (is(element, 'bpmn:Process') && !attrs?.isExecutable) element.isExecutable = true;
    if (is(element, 'bpmn:Lane') && !element.name) element.name = this._studio.roleName(element.id.split('.')[0]);
    if (is(element, 'bpmn:UserTask') && !element.extensionElements) {
      const task = this._model.create('ps:Task', { organisation: 'owner' });
      const extensions = this._model.create('bpmn:ExtensionElements', { values: [task] });
      task.$parent = extensions;
      extensions.$parent = element;
      element.extensionElements = extensions;
    }
    return element;
  }

  _ensureId(element) {
    if (element.id) {
      this._model.ids.claim(element.id, element);
      return;
    }
    if (!this._needsId(element) && !/EventDefinition$/.test(element.$type)) return;
    element.id = is(element, 'bpmn:Lane') ? this._freeRole() : this._free(this._stem(element));
    this._model.ids.claim(element.id, element);
  }

  _stem(element) {
    if (is(element, 'bpmn:Participant')) return 'pool';
    if (isAny(element, ['bpmn:SequenceFlow'])) return 'flow';
    return snake(element.$type.replace(/^[^:]*:/, ''));
  }

  _free(stem) {
    const taken = this._studio.taken();
    for (let number = 1; ; number += 1) {
      const id = `${stem}_${number}`;
      // The shape of a step that was renamed keeps the id it was drawn with.
      if (!this._model.ids.assigned(id) && !this._model.ids.assigned(`${id}_di`) && !taken.has(id)) return id;
    }
  }

  _freeRole() {
    const roles = [...LANE_ROLES, ...this._studio.roles()];
    for (const role of roles) if (!this._model.ids.assigned(role)) return role;
    for (let number = 2; ; number += 1) if (!this._model.ids.assigned(`${roles[0]}.${number}`)) return `${roles[0]}.${number}`;
  }
}

/** References to what no element is (`loopDataInputRef` names a variable) are kept as they are written. */
class References {
  static $inject = ['eventBus'];

  constructor(eventBus) {
    eventBus.on('import.parse.complete', ({ warnings = [] }) => {
      for (const { element, property, value } of warnings) {
        if (!element || !property || !value || COMPUTED.has(property.replace(/^[^:]*:/, ''))) continue;
        const known = element.$descriptor.propertiesByName[property];
        if (known?.isReference && !known.isMany && !element.get(property)) element.set(property, named(value));
      }
    });
  }
}

const COMPUTED = new Set(['incoming', 'outgoing', 'flowNodeRef', 'sourceRef', 'targetRef', 'attachedToRef', 'bpmnElement', 'default']);

/** Return what is written as a reference to a name. */
export function named(id) {
  return id ? { id, $type: 'bpmn:ItemAwareElement' } : undefined;
}

export default {
  __init__: ['references'],
  bpmnFactory: ['type', Factory],
  references: ['type', References],
};
