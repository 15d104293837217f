// Data that goes with other data: it is read again whenever the other was read.
import { useEffect, useRef, useState } from "../vendor/preact.js";

/** What takes long to count is read rarely: after a reading comes a rest of so many times as long. */
const REST = 20;
const NOTHING = { data: undefined, error: null };

/**
 * {data, error} of what `read({signal})` gives, each time that `lead` is another value; nothing is
 * read while that is undefined. `key` says what is read: of another thing it is read without a rest.
 */
export function useFollowing(read, { lead, key }) {
  const [state, setState] = useState(NOTHING);
  const latest = useRef();
  latest.current = { read, what: JSON.stringify(key) };
  const last = useRef({ what: null, isOver: null, restsUntil: 0, control: null });

  useEffect(() => {
    if (lead === undefined) return undefined;
    let isLeft = false;
    const round = async () => {
      if (last.current.what === latest.current.what) {
        await last.current.isOver;
        await moment(last.current.restsUntil);
      }
      if (!isLeft) last.current = begun(last.current, latest.current, setState);
    };
    round();
    return () => {
      isLeft = true;
    };
  }, [lead]);
  useEffect(() => () => last.current.control?.abort(), []);
  return state;
}

function begun(before, { read, what }, setState) {
  before.control?.abort();
  const reading = { what, restsUntil: 0, control: new AbortController() };
  reading.isOver = readInto(setState, read, reading);
  return reading;
}

async function readInto(setState, read, reading) {
  const { signal } = reading.control;
  const start = performance.now();
  let found;
  try {
    found = { data: await read({ signal }), error: null };
  } catch (error) {
    found = { data: undefined, error };
  }
  const end = performance.now();
  reading.restsUntil = end + REST * (end - start);
  if (!signal.aborted) setState(found);
}

const moment = (then) => {
  const left = then - performance.now();
  return left > 0 ? new Promise((resolve) => setTimeout(resolve, left)) : null;
};
