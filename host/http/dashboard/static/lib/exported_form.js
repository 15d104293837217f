// Whether a line of an export has the form of one. What passes can be drawn: pages trust the types of
// what they show, and a file is not of the host. Members that nobody shows are not looked at.

/** What has not the form of an export, in words. */
export class ExportError extends Error {}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;
const DEEPEST = 100;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isText = (value) => typeof value === "string";
const isNumber = (value) => Number.isSafeInteger(value);
const isTime = (value) => isText(value) && TIME.test(value) && !Number.isNaN(Date.parse(value));
const isListOf = (is) => (value) => Array.isArray(value) && value.every(is);
const isMapOf = (is) => (value) => isObject(value) && Object.values(value).every(is);
const isEither = (...each) => (value) => each.some((is) => is(value));

const INSTANCE = {
  instance_id: isText, name: isText, status: isText, execution_id: isText, created_at: isTime, updated_at: isTime,
};
const INSTANCE_MAY = {
  version: isText, input: isText, output: isText, custom_status: isText, tags: isMapOf(isText), failure: isFailure,
};
const EVENT_MAY = {
  task_id: isNumber, attempt: isNumber, max_attempts: isNumber, first_id: isNumber, generation: isNumber, cut: isNumber,
  last_task_id: isNumber, number: isNumber, section: isEither(isNumber, isText),
  fire_at: isTime, scheduled_at: isTime,
  name: isText, version: isText, input: isText, result: isText, reason: isText, instance_id: isText,
  operation: isText, state: isText, status: isText,
  again: isMapOf(isNumber), tags: isMapOf(isText), entities: isListOf(isText), failure: isFailure,
};
const BATCH_MAY = { awaited: isListOf(isText), let_go: isListOf(isNumber) };
const FAILURE_MAY = { error_type: isText, message: isText, stack_trace: isText, notes: isListOf(isText) };

/** The value itself. Throws ExportError for what is no exported instance. */
export function checked(said) {
  const { instance, history = [] } = said;
  check(instance, INSTANCE, INSTANCE_MAY, "its instance");
  if (!isListOf(isObject)(history)) throw new ExportError("its history is no list.");
  for (const { number, batch } of history) {
    if (!isNumber(number) || !isObject(batch)) throw new ExportError("a turn of its history has no number, or no events.");
    check(batch, {}, BATCH_MAY, `turn ${number}`);
    if (!isListOf(isObject)(batch.events) || batch.events.length === 0) throw new ExportError(`turn ${number} has no events.`);
    for (const event of batch.events) check(event, { type: isNumber, timestamp: isTime }, EVENT_MAY, `an event of turn ${number}`);
  }
  return said;
}

function check(value, must, may, what) {
  if (!isObject(value)) throw new ExportError(`${what} is missing.`);
  for (const [name, is] of Object.entries(must)) {
    if (!is(value[name])) throw new ExportError(`${what} has no valid '${name}'.`);
  }
  for (const [name, is] of Object.entries(may)) {
    if (value[name] !== null && value[name] !== undefined && !is(value[name])) throw new ExportError(`${what} has no valid '${name}'.`);
  }
}

/** Failures have causes and parts, which are failures: not too deep ones, since all of them are drawn. */
function isFailure(value, depth = 0) {
  if (!isObject(value) || depth > DEEPEST) return false;
  const { cause = null, sub_failures: parts = null } = value;
  const isOwn = Object.entries(FAILURE_MAY).every(([name, is]) => value[name] == null || is(value[name]));
  const isBelow = (each) => isFailure(each, depth + 1);
  return isOwn && (cause === null || isBelow(cause)) && (parts === null || isListOf(isBelow)(parts));
}
