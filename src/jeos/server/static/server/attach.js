// Files that are dropped or pasted into a text go the way of those that are chosen; what came of one is written into the text.
"use strict";

(() => {
  const boxOf = (text) => document.querySelector(`[data-attach="${text.id}"]`);
  const textOf = (box) => document.getElementById(box.dataset.attach);

  const send = (text, files) => {
    const box = boxOf(text);
    if (!box || !files.length) return false;
    const input = box.querySelector("input[type=file]");
    const chosen = new DataTransfer();
    for (const file of files) chosen.items.add(file);
    input.files = chosen.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  };

  const write = (text, words) => {
    const before = text.value.slice(0, text.selectionStart);
    const gap = before && !before.endsWith("\n") ? "\n\n" : "";
    text.setRangeText(`${gap}${words}\n\n`, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  };

  document.addEventListener("paste", (event) => {
    if (event.target instanceof HTMLTextAreaElement && send(event.target, event.clipboardData.files)) event.preventDefault();
  });
  document.addEventListener("dragover", (event) => {
    if (event.target instanceof HTMLTextAreaElement && event.dataTransfer.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (event.target instanceof HTMLTextAreaElement && send(event.target, event.dataTransfer.files)) event.preventDefault();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const list = event.target;
    if (!(list instanceof Element) || !list.matches(".attached")) return;
    const box = list.closest("[data-attach]");
    for (const item of list.querySelectorAll("li[data-markdown]")) {
      write(textOf(box), item.dataset.markdown);
      item.removeAttribute("data-markdown");
    }
    box.querySelector("input[type=file]").value = ""; // kept already: not to be sent once more with the form
  });
  document.addEventListener("htmx:responseError", (event) => {
    const box = event.target instanceof Element && event.target.closest("[data-attach]");
    if (box) box.classList.add("failed");
  });
  document.documentElement.classList.add("scripted");
})();
