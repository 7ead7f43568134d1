// A scenario's file is read into the form's text; nothing is sent until the form is.
"use strict";

document.addEventListener("change", async (event) => {
  const file = event.target.closest?.("#scenario-file")?.files?.[0];
  if (file) document.getElementById("scenario").value = await file.text();
});
