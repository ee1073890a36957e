// `/`, Ctrl-K and ⌘K go to the search field, and in a narrow window open the menu, which has it. This listens before
// Sphinx does, which for `/` would focus the field in the closed menu.
document.addEventListener("keydown", (event) => {
  const typing = document.activeElement.matches("input, textarea, select, button, [contenteditable]");
  const slash = event.key === "/" && !(event.ctrlKey || event.metaKey || event.altKey || typing);
  const control = event.key?.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey;
  if (!slash && !control) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const field = document.querySelector("input[name=q]");
  if (field.getBoundingClientRect().right <= 0) document.getElementById("__navigation").checked = true;
  field.focus({ preventScroll: true });
  field.select();
}, true);
