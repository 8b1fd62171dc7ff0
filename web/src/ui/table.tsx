// SPDX-License-Identifier: Apache-2.0
// The numbers behind a view, once: as a table for screen readers and for copying, and as CSV.
import { useLayoutEffect, useState } from "preact/hooks";

import { percent } from "../lib/grid";

// The first cell of a row is its name. NaN: there is no such number.
export interface Table {
  caption: string;
  columns: string[]; // of the first cell too
  rows: (string | number)[][];
}

const kMostRows = 256;
const kMostColumns = 64;

let current: (() => Table) | null = null;
// The table of the view that is shown.
export function shownTable(): Table | null {
  return current?.() ?? null;
}

// Worked out only when somebody opens or saves it.
export function DataTable(props: { table: () => Table }) {
  const [open, setOpen] = useState(false);
  useLayoutEffect(() => {
    current = props.table;
    return () => {
      if (current === props.table) current = null;
    };
  });
  return (
    <details class="data-table" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>As a table</summary>
      {open && <Opened table={props.table()} />}
    </details>
  );
}

function Opened({ table }: { table: Table }) {
  const cut = table.rows.length > kMostRows || table.columns.length > kMostColumns;
  const said = (cell: string | number) => (typeof cell === "number" ? percent(cell) : cell);
  return (
    <>
      {cut && (
        <p class="muted">
          The first {kMostRows} rows and {kMostColumns} columns of {table.rows.length.toLocaleString("en")} by{" "}
          {table.columns.length.toLocaleString("en")}; CSV saves them all.
        </p>
      )}
      <div class="scroll" tabIndex={0} role="region" aria-label={table.caption}>
        <table>
          <caption>{table.caption}</caption>
          <thead>
            <tr>
              {table.columns.slice(0, kMostColumns).map((name, i) => (
                <th key={i} scope="col" dir="auto">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {table.rows.slice(0, kMostRows).map((row, i) => (
              <tr key={i}>
                {row.slice(0, kMostColumns).map((cell, j) =>
                  j === 0 ? (
                    <th key={j} scope="row" dir="auto">
                      {said(cell)}
                    </th>
                  ) : (
                    <td key={j} dir="auto">
                      {said(cell)}
                    </td>
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const field = (cell: string | number) => {
  const text = typeof cell === "string" ? cell : Number.isFinite(cell) ? String(cell) : "";
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};

// RFC 4180, as `regard show -o file.csv` writes it.
export function toCsv(table: Table): string {
  return [table.columns, ...table.rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";
}
