// Tables. Arrow keys move from row to row; Enter opens one.
import { html } from "../vendor/preact.js";
import { navigate } from "../lib/router.js";
import { Empty, Loading } from "./empty.js";

/**
 * `columns`: [{key, label, view(row), align: "right", isWide, isCode, isActions, width}]; without a view
 * the row's member of that key is shown. The first one names the row, where rows are cards (style.css).
 * `isEven`: columns are as wide as their `width` says, so that several tables stand in line. `rowKey(row)` names a row; `rowLink(row)` is the path that Enter opens, or
 * `onRow(row)` is called. With `selected` (a Set of keys) and `onSelect(keys)` rows can be ticked.
 * `empty` stands there when there is none. (Its roles are said since a browser may forget those of a
 * table whose rows are drawn as cards.)
 */
export function Table({ columns, rows, rowKey, rowLink, onRow, selected, onSelect, isLoading = false, isEven = false, empty, caption }) {
  if (rows === undefined) return isLoading ? html`<${Loading} />` : null;
  if (rows.length === 0) return empty ?? html`<${Empty} title="Nothing here" />`;
  const keys = rows.map(rowKey);
  return html`<div class="table-box" tabindex="0" role="region" aria-label=${caption}>
    <table class=${isEven ? "table even" : "table"} role="table"><caption class="sr-only">${caption}</caption>
      ${isEven && html`<colgroup>${columns.map(({ key, width }) => html`<col key=${key} style=${{ width }} />`)}</colgroup>`}
      <thead role="rowgroup"><tr role="row">
        ${onSelect && html`<th class="tick" role="columnheader" data-label="All on this page"><${Tick} label="Select all on this page" isTicked=${keys.every((key) => selected.has(key))}
          onTick=${(isOn) => onSelect(new Set(isOn ? [...selected, ...keys] : [...selected].filter((key) => !keys.includes(key))))} /></th>`}
        ${columns.map((each) => html`<th key=${each.key} scope="col" role="columnheader" class=${each.isActions ? "do" : each.align ?? ""}>
          ${each.isActions ? html`<span class="sr-only">${each.label}</span>` : each.label}</th>`)}
      </tr></thead>
      <tbody role="rowgroup" onKeyDown=${(event) => onKey(event, rows, { rowLink, onRow })}>
        ${rows.map((row, at) => html`<tr key=${keys[at]} role="row" tabindex=${at === 0 ? 0 : -1} data-at=${at}
            class=${onRow ? "can-open" : ""} onClick=${(event) => onRow && !isControl(event) && onRow(row)}>
          ${onSelect && html`<td class="tick" role="cell"><${Tick} label=${`Select ${keys[at]}`} isTicked=${selected.has(keys[at])}
            onTick=${(isOn) => onSelect(changed(selected, keys[at], isOn))} /></td>`}
          ${columns.map((each, place) => html`<td key=${each.key} role="cell" class=${classOf(each, place)} data-label=${place > 0 && !each.isActions ? each.label : null}>${each.view ? each.view(row) : row[each.key]}</td>`)}
        </tr>`)}
      </tbody>
    </table></div>`;
}

const classOf = ({ align, isWide, isCode, isActions }, place) =>
  [place === 0 && "lead", isActions && "do", align === "right" && "right", isWide && "grow", isCode && "code"].filter(Boolean).join(" ");

function Tick({ label, isTicked, onTick }) {
  return html`<input type="checkbox" aria-label=${label} checked=${isTicked} onChange=${(event) => onTick(event.target.checked)} />`;
}

function changed(selected, key, isOn) {
  const next = new Set(selected);
  if (isOn) next.add(key);
  else next.delete(key);
  return next;
}

const isControl = (event) => event.target.closest("a, button, input, select, textarea, label") !== null;

function onKey(event, rows, { rowLink, onRow }) {
  const row = event.target.closest("tr");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    if (!next) return;
    event.preventDefault();
    next.focus();
  } else if (event.key === "Enter" && event.target === row) {
    const meant = rows[Number(row.dataset.at)];
    if (rowLink) navigate(rowLink(meant));
    else onRow?.(meant);
  }
}
