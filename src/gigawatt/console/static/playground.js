// Talking to an endpoint: the answer is shown as it comes. The page holds no key; the control plane asks in its name.
(() => {
  const talk = document.getElementById("talk");
  if (!talk) return;
  const part = (id) => document.getElementById(id);
  const said = part("said"), question = part("question"), pace = part("pace");
  let messages = [], running = null;

  function turn(role, text) {
    const line = document.createElement("li");
    line.className = role;
    line.textContent = text;
    said.append(line);
    line.scrollIntoView({ block: "nearest" });
    return line;
  }

  function busy(yes) {
    part("send").disabled = yes;
    part("halt").disabled = !yes;
  }

  // Events of the stream, in OpenAI's form; comments say how long a question waits.
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith(":")) yield { waits: line.slice(1).trim() };
        else if (line.startsWith("data:") && line.slice(5).trim() !== "[DONE]") yield JSON.parse(line.slice(5));
      }
    }
  }

  async function ask(text) {
    messages.push({ role: "user", content: text });
    turn("user", text);
    const line = turn("assistant", "");
    const began = performance.now();
    let first = 0, pieces = 0, answer = "";
    running = new AbortController();
    busy(true);
    try {
      const body = new URLSearchParams({ csrf: talk.dataset.csrf, messages: JSON.stringify(messages) });
      const headers = { "HX-Request": "true" };
      const reply = await fetch(talk.dataset.path, { method: "POST", body, headers, signal: running.signal });
      if (!reply.ok) throw new Error(refusal(reply));
      for await (const event of events(reply.body)) {
        if (event.waits) { pace.textContent = event.waits; continue; }
        if (event.error) throw new Error(event.error.message || "the gateway refused");
        for (const choice of event.choices || []) {
          const piece = (choice.delta && choice.delta.content) || "";
          if (!piece) continue;
          if (!first) first = performance.now();
          pieces += 1;
          answer += piece;
          line.textContent = answer;
          said.scrollTop = said.scrollHeight;
        }
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        line.classList.add("bad");
        line.textContent = answer ? `${answer}\n${error.message}` : error.message;
        if (!answer) messages.pop();
      }
    } finally {
      if (answer) messages.push({ role: "assistant", content: answer });
      if (first) {
        const rest_s = (performance.now() - first) / 1000;
        const rate = pieces > 1 && rest_s > 0 ? `, ${((pieces - 1) / rest_s).toFixed(0)} pieces a second` : "";
        pace.textContent = `first word after ${((first - began) / 1000).toFixed(2)} s${rate}`;
      }
      running = null;
      busy(false);
    }
  }

  // What a refusal says, as every script of the console is told it.
  function refusal(reply) {
    if (reply.status === 401) location.reload();
    const told = JSON.parse(reply.headers.get("hx-trigger") || "{}")["gw:refused"];
    return told ? [told.detail, told.hint].filter(Boolean).join(": ") : `refused (${reply.status})`;
  }

  part("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = question.value.trim();
    if (!text || running) return;
    question.value = "";
    ask(text);
  });
  question.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); part("ask").requestSubmit(); }
  });
  part("halt").addEventListener("click", () => running && running.abort());
  part("anew").addEventListener("click", () => {
    if (running) running.abort();
    messages = [];
    said.replaceChildren();
    pace.textContent = "";
    question.focus();
  });
})();
