/** Asks an endpoint for one prediction; the reader fills in the columns. */
export function predictCommand(endpoint: string, origin: string): string {
  const body = JSON.stringify({ rows: [{ COLUMN: "VALUE" }] });
  return `curl ${origin}/api/v1/endpoints/${encodeURIComponent(endpoint)}/predict \\\n  -d '${body}'`;
}

/** The three commands that fill an empty project. */
export function firstCommands(origin: string): { what: string; text: string }[] {
  return [
    { what: "Apply a folder of YAML documents", text: "tiegel apply -f FOLDER" },
    { what: "Train, and watch it", text: "tiegel run training/NAME --wait" },
    { what: "Ask for a prediction", text: predictCommand("NAME", origin) },
  ];
}
