const said = document.getElementById("said");
const say = text => { if (said.textContent !== text) said.textContent = text; };
async function ask() {
  try {
    const answer = await fetch("/state", {cache: "no-store"});
    if (answer.ok && (await answer.json()).state !== "pending") return location.reload();
    say(answer.ok ? "Waiting for your approval." : "The application has trouble. It tries again.");
  } catch { say("The connection is lost. This page tries again."); }
  setTimeout(ask, 1500);
}
setTimeout(ask, 1500);
