// What may be drawn: only what the engine runs (engine/workflow/checking.py). Everything here narrows what bpmn-js offers.
import { assign } from 'min-dash';
import ContextPadProvider from 'bpmn-js/lib/features/context-pad/ContextPadProvider';
import PaletteProvider from 'bpmn-js/lib/features/palette/PaletteProvider';
import { is } from 'bpmn-js/lib/util/ModelUtil';
import CommandInterceptor from 'diagram-js/lib/command/CommandInterceptor';

// Names of bpmn-js's menu entries, without the prefix of the menu.
const RUNS = new Set([
  'none-start', 'none-start-event', 'none-end', 'none-end-event', 'message-start', 'timer-start',
  'message-intermediate-catch', 'message-intermediate-throw', 'timer-intermediate-catch', 'escalation-intermediate-throw',
  'message-boundary', 'timer-boundary', 'escalation-boundary', 'error-boundary',
  'non-interrupting-message-boundary', 'non-interrupting-timer-boundary', 'non-interrupting-escalation-boundary',
  'message-end', 'escalation-end', 'error-end', 'terminate-end',
  'exclusive-gateway', 'parallel-gateway', 'inclusive-gateway', 'exclusive', 'parallel', 'inclusive',
  'user-task', 'service-task', 'script-task', 'rule-task', 'call-activity', 'collapsed-subprocess', 'expanded-subprocess', 'subprocess',
  'expanded-pool', 'default-flow', 'sequence-flow',
]);
const MARKERS = new Set(['toggle-parallel-mi', 'toggle-sequential-mi', 'toggle-non-interrupting']);
const NOT_DRAWN = ['create.task', 'create.data-object', 'create.data-store', 'create.group', 'create.intermediate-event'];
const LAST = 100, GAP = 50, BEFORE_DROP = 1500, READABLE = 0.8;

export function runs(entry) {
  return RUNS.has(entry.replace(/^(append|create)-/, '').replace(/^replace-with-/, ''));
}

function keep(entries, allowed) {
  return Object.fromEntries(Object.entries(entries).filter(([name]) => allowed(name)));
}

/** A rank below nought hides an entry until it is searched for: of the few that are left, none is hidden. */
function shown(entries) {
  return Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, entry.rank < 0 ? { ...entry, rank: 0 } : entry]));
}

/** Takes from the menus of changing, appending and creating what does not run. */
class Menus {
  static $inject = ['popupMenu'];

  constructor(popupMenu) {
    for (const menu of ['bpmn-replace', 'bpmn-append', 'bpmn-create']) {
      popupMenu.registerProvider(menu, LAST, {
        getPopupMenuEntries: () => (entries) => shown(keep(entries, runs)),
        getPopupMenuHeaderEntries: () => (entries) => keep(entries, (name) => MARKERS.has(name)),
      });
    }
  }
}

class Palette extends PaletteProvider {
  static $inject = [...PaletteProvider.$inject];

  getPaletteEntries() {
    const entries = super.getPaletteEntries();
    for (const name of NOT_DRAWN) delete entries[name];
    const make = (group, className, title, type, options) => {
      const start = (event) => this._create.start(event, this._elementFactory.createShape(assign({ type }, options)));
      return { group, className, title: this._translate(title), action: { dragstart: start, click: start } };
    };
    return assign(entries, {
      'create.user-task': make('activity', 'bpmn-icon-user-task', 'Create user task', 'bpmn:UserTask'),
      'create.call-activity': make('activity', 'bpmn-icon-call-activity', 'Create call activity', 'bpmn:CallActivity'),
      'create.timer': make('event', 'bpmn-icon-intermediate-event-catch-timer', 'Create timer', 'bpmn:IntermediateCatchEvent', { eventDefinitionType: 'bpmn:TimerEventDefinition' }),
      'create.text-annotation': make('artifact', 'bpmn-icon-text-annotation', 'Create text annotation', 'bpmn:TextAnnotation'),
    });
  }
}

class Pad extends ContextPadProvider {
  static $inject = [...ContextPadProvider.$inject, 'room'];

  constructor(...services) {
    super(...services);
    this._room = services[ContextPadProvider.$inject.length];
  }

  getContextPadEntries(element) {
    const entries = super.getContextPadEntries(element);
    if (is(element, 'bpmn:SequenceFlow') && element.waypoints) {
      return {
        'insert.user-task': {
          group: 'model', className: 'bpmn-icon-user-task', title: this._translate('Put a step in here'),
          action: { click: () => this._room.put(element, this._elementFactory.createShape({ type: 'bpmn:UserTask' })) },
        },
        ...entries,
      };
    }
    for (const name of Object.keys(entries)) if (/^append\.(receive|message|condition|signal|compensation|timer)/.test(name)) delete entries[name];
    if (entries.replace) {
      entries.replace.action.click = (event, target) => {
        const pad = document.querySelector('.djs-context-pad.open')?.getBoundingClientRect() ?? { left: event.x, bottom: event.y };
        this._popupMenu.open(target, 'bpmn-replace', { x: pad.left, y: pad.bottom + 5, cursor: { x: event.x, y: event.y } }, { title: this._translate('Change element'), width: 300, search: true });
      };
    }
    const append = (className, title, type, options) => {
      const shape = () => this._elementFactory.createShape(assign({ type }, options));
      return {
        group: 'model', className, title: this._translate(title),
        action: {
          dragstart: (event, source) => this._create.start(event, shape(), { source }),
          click: (_, source) => this._autoPlace.append(source, shape()),
          hover: (_, source) => { this._appendPreview.create(source, type, options); return () => this._appendPreview.cleanUp(); },
        },
      };
    };
    if (entries['append.append-task']) entries['append.append-task'] = append('bpmn-icon-user-task', 'Append user task', 'bpmn:UserTask');
    if (entries['append.intermediate-event']) {
      entries['append.intermediate-event'] = append('bpmn-icon-intermediate-event-catch-timer', 'Append timer', 'bpmn:IntermediateCatchEvent', { eventDefinitionType: 'bpmn:TimerEventDefinition' });
    }
    return entries;
  }
}

/** A plain task stops a case: whatever would draw one draws a user task. Data, groups and messages between pools are not drawn. */
class Kinds {
  static $inject = ['elementFactory', 'eventBus'];

  constructor(elementFactory, eventBus) {
    const create = elementFactory.create.bind(elementFactory);
    elementFactory.create = (kind, attrs) => create(kind, attrs?.type === 'bpmn:Task' && !attrs.businessObject ? { ...attrs, type: 'bpmn:UserTask' } : attrs);
    eventBus.on('commandStack.connection.create.canExecute', 2000, ({ context }) => {
      if (context.connection && is(context.connection, 'bpmn:MessageFlow')) return false;
      return undefined;
    });
  }
}

/** What is put into a line gets room there: the rest moves on, and nothing lies on something else. */
class Room extends CommandInterceptor {
  static $inject = ['eventBus', 'bpmnRules', 'spaceTool', 'elementRegistry', 'modeling', 'canvas'];

  constructor(eventBus, rules, spaceTool, registry, modeling, canvas) {
    super(eventBus);
    Object.assign(this, { eventBus, spaceTool, registry, modeling, canvas });
    this.preExecute('shape.create', BEFORE_DROP, (context) => {
      const { shape, parent, position } = context;
      if (!parent?.waypoints || !is(parent, 'bpmn:SequenceFlow') || !is(shape, 'bpmn:FlowNode') || !rules.canInsert(shape, parent)) return;
      context.position = this.make(parent, shape, position);
    }, true);
  }

  /** Put a shape into a line, show it and ask for its name. */
  put(flow, shape) {
    if (this.canvas.zoom() < READABLE) this.canvas.zoom(READABLE);
    const made = this.modeling.createShape(shape, middle(longest(flow)), flow);
    this.canvas.scrollToElement(made, { top: 80, right: 140, bottom: 140, left: 120 });
    this.eventBus.fire('autoPlace.end', { shape: made });
    return made;
  }

  /** Make room in the part of a line that is nearest to a point; return where the shape belongs. */
  make(flow, shape, point) {
    const [from, to] = nearest(flow, point);
    const along = Math.abs(from.x - to.x) >= Math.abs(from.y - to.y) ? 'x' : 'y';
    const first = Math.min(from[along], to[along]), length = Math.abs(from[along] - to[along]);
    const size = along === 'x' ? shape.width : shape.height;
    const missing = Math.round(size + 2 * GAP - length);
    if (missing > 0) this.open(along, first + 1, missing);
    const centre = { ...from };
    centre[along] = first + Math.max(length, size + 2 * GAP) / 2;
    return centre;
  }

  /** Move everything beyond a coordinate away from it. */
  open(along, start, by) {
    const all = this.registry.filter((entry) => entry.parent); // with the lines: their labels move along
    const { movingShapes, resizingShapes } = this.spaceTool.calculateAdjustments(all, along, by, start);
    this.spaceTool.makeSpace(movingShapes, resizingShapes, along === 'x' ? { x: by, y: 0 } : { x: 0, y: by }, along === 'x' ? 'e' : 's', start);
  }
}

function parts({ waypoints }) {
  return waypoints.slice(1).map((point, index) => [waypoints[index], point]);
}

const middle = ([from, to]) => ({ x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 });

function longest(flow) {
  const long = ([from, to]) => Math.hypot(to.x - from.x, to.y - from.y);
  return parts(flow).reduce((best, part) => (long(part) > long(best) ? part : best));
}

function nearest(flow, { x, y }) {
  const away = ([from, to]) => {
    const squared = (to.x - from.x) ** 2 + (to.y - from.y) ** 2 || 1;
    const share = Math.max(0, Math.min(1, ((x - from.x) * (to.x - from.x) + (y - from.y) * (to.y - from.y)) / squared));
    return Math.hypot(x - from.x - share * (to.x - from.x), y - from.y - share * (to.y - from.y));
  };
  return parts(flow).reduce((best, part) => (away(part) < away(best) ? part : best));
}

/** A step has one way on. What is appended to one that has it already is put in between, and the rest makes room. */
class Insert {
  static $inject = ['autoPlace', 'modeling', 'room', 'eventBus', 'commandStack'];

  constructor(autoPlace, modeling, room, eventBus, commandStack) {
    const append = autoPlace.append.bind(autoPlace);
    commandStack.registerHandler('studio.insert', class {
      preExecute(context) {
        const { source, shape, flow } = context;
        const edge = source.x + source.width, width = shape.width + GAP;
        room.open('x', edge + 1, width);
        const middle = { x: edge + GAP + shape.width / 2, y: source.y + source.height / 2 };
        context.shape = modeling.createShape(shape, middle, flow.parent);
        const target = flow.target;
        const { waypoints } = flow;
        const straight = Math.abs(waypoints[0].y - middle.y) < 5 && waypoints[0].x > source.x + source.width / 2;
        modeling.reconnectEnd(flow, context.shape, straight ? { x: context.shape.x, y: middle.y } : middle);
        modeling.layoutConnection(flow);
        modeling.connect(context.shape, target);
      }
    });
    autoPlace.append = (source, shape, hints) => {
      const flows = (source.outgoing ?? []).filter((flow) => is(flow, 'bpmn:SequenceFlow'));
      const fits = flows.length === 1 && !is(source, 'bpmn:Gateway') && is(shape, 'bpmn:FlowNode') && !is(shape, 'bpmn:EndEvent') && !is(shape, 'bpmn:BoundaryEvent');
      if (!fits) return append(source, shape, hints);
      eventBus.fire('autoPlace.start', { source, shape });
      const context = { source, shape, flow: flows[0] };
      commandStack.execute('studio.insert', context);
      eventBus.fire('autoPlace.end', { source, shape: context.shape });
      return context.shape;
    };
  }
}

export default {
  __init__: ['menus', 'kinds', 'insert', 'room'],
  room: ['type', Room],
  insert: ['type', Insert],
  menus: ['type', Menus],
  kinds: ['type', Kinds],
  paletteProvider: ['type', Palette],
  contextPadProvider: ['type', Pad],
};
