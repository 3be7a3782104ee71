import type { ReactNode } from "react";
import { ScrollRegion } from "./scroll-region";

export interface Column<Row> {
  title: string;
  /** Neighbours of one group share a heading above their titles. */
  group?: string | undefined;
  /** Numbers stand to the right, so that their digits line up. */
  numeric?: boolean;
  cell: (row: Row) => ReactNode;
}

interface TableProps<Row> {
  /** Read by screen readers, not shown: the section's title shows it. */
  caption: string;
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
  /** A second line below a row, such as an error. */
  note?: (row: Row) => ReactNode;
}

/** A dense table. The first column names the row. */
export function Table<Row>({ caption, columns, rows, rowKey, note }: TableProps<Row>) {
  return (
    <ScrollRegion label={caption} className="rounded-lg border border-line bg-surface">
      <table className="w-full border-collapse text-left">
        <caption className="sr-only">{caption}</caption>
        <thead className="border-line border-b text-ink-3 text-xs">
          <Groups columns={columns} />
          <tr>
            {columns.map((column) => (
              <th key={columnKey(column)} scope="col" className={`h-8 font-medium ${cellClass(column)}`}>
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={rowKey(row)} row={row} columns={columns} note={note?.(row)} />
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
}

function Row<Row>({ row, columns, note }: { row: Row; columns: Column<Row>[]; note: ReactNode }) {
  const line = "border-line not-last:border-b";
  const cells = columns.map((column, index) =>
    index === 0 ? (
      <th key={columnKey(column)} scope="row" className={`h-9 font-medium ${cellClass(column)}`}>
        {column.cell(row)}
      </th>
    ) : (
      <td key={columnKey(column)} className={`h-9 text-ink-2 ${cellClass(column)}`}>
        {column.cell(row)}
      </td>
    ),
  );
  if (!note) return <tr className={`${line} hover:bg-raised/60`}>{cells}</tr>;
  return (
    <>
      <tr className="hover:bg-raised/60">{cells}</tr>
      <tr className={line}>
        <td colSpan={columns.length} className="px-4 pb-2">
          {note}
        </td>
      </tr>
    </>
  );
}

interface Span {
  key: string;
  group: string | undefined;
  columns: number;
}

/** The headings above the titles, if any column is in a group. */
function Groups<Row>({ columns }: { columns: Column<Row>[] }) {
  const spans: Span[] = [];
  for (const { group, title } of columns) {
    const last = spans.at(-1);
    if (last !== undefined && last.group === group) last.columns += 1;
    else spans.push({ key: title, group, columns: 1 });
  }
  if (spans.every((span) => span.group === undefined)) return null;
  return (
    <tr>
      {spans.map(({ key, group, columns }) =>
        group === undefined ? (
          <td key={key} colSpan={columns} />
        ) : (
          <th key={key} scope="colgroup" colSpan={columns} className="px-3 pt-1.5 text-right font-medium">
            <span className="block border-line border-b pb-0.5">{group}</span>
          </th>
        ),
      )}
    </tr>
  );
}

function columnKey<Row>({ group = "", title }: Column<Row>): string {
  return `${group}/${title}`;
}

function cellClass<Row>({ numeric }: Column<Row>): string {
  return `px-3 first:pl-4 last:pr-4 whitespace-nowrap ${numeric ? "text-right" : ""}`;
}

/** Where a value is missing. */
export function None() {
  return (
    <span className="text-ink-3">
      <span aria-hidden="true">–</span>
      <span className="sr-only">none</span>
    </span>
  );
}
