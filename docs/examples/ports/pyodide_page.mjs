// The page of pyodide_page.py: it loads Pyodide and the packages from where it came itself, and shows what Python says.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const byId = (id) => document.getElementById(id);
const say = (text) => {
  byId("status").textContent = text;
};

const pyodide = await loadPyodide({ indexURL: new URL("./pyodide/", import.meta.url).href });
const packages = await fetch("python.zip");
pyodide.unpackArchive(await packages.arrayBuffer(), "zip", { extractDir: "/packages" });
pyodide.runPython("import sys; sys.path.insert(0, '/packages')");
const python = pyodide.pyimport("pyodide_sign_in");

const show = (page, code) => {
  byId("code").textContent = code;
  byId("link").href = page;
  byId("link").textContent = page;
  byId("prompt").hidden = false;
  say("Open the page below, and type the code there.");
};

byId("sign-in").addEventListener("click", async () => {
  byId("sign-in").disabled = true;
  byId("cancel").hidden = false;
  say("A code is asked for.");
  try {
    say(await python.sign_in(location.origin, show));
  } catch (error) {
    say("Something is wrong with this page; the browser's console says what.");
    console.error(error);
  }
  byId("prompt").hidden = true;
  byId("cancel").hidden = true;
  byId("sign-in").disabled = false;
});
byId("cancel").addEventListener("click", () => python.cancel());
byId("sign-in").disabled = false;
say("Ready.");
