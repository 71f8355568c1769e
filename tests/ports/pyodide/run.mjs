// Runs `main(text)` of a Python file in Pyodide, in node; the text is what comes on standard input:
//     node run.mjs FOLDER_OF_PYODIDE FILE FOLDER=/place...
// The folders are mounted, and each /place is put on Python's path. What the file prints is printed.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [, , home, file, ...mounts] = process.argv;
let text = "";
process.stdin.setEncoding("utf8");
for await (const piece of process.stdin) text += piece;
const { loadPyodide } = await import(pathToFileURL(`${home}/node_modules/pyodide/pyodide.mjs`));
const pyodide = await loadPyodide({ indexURL: `${home}/node_modules/pyodide/` });
const places = [];
for (const mount of mounts) {
  const [folder, place] = mount.split("=");
  pyodide.FS.mkdirTree(place);
  pyodide.mountNodeFS(place, folder);
  places.push(place);
}
pyodide.globals.set("PLACES", pyodide.toPy(places));
pyodide.globals.set("TEXT", text);
pyodide.runPython("import sys; sys.dont_write_bytecode = True; sys.path[:0] = PLACES");
try {
  pyodide.runPython(readFileSync(file, "utf8"), { filename: file });
  await pyodide.runPythonAsync("await main(TEXT)");
} catch (error) {
  console.error(error.message); // Python's traceback
  process.exit(1);
}
process.exit(0);
