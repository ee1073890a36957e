// Ctrl-K or ⌘K goes to the search field, as `/` does; where the field is in the closed menu of a narrow window, to the
// page of the search.
document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
  event.preventDefault();
  const field = document.querySelector("input[name=q]");
  if (field.getBoundingClientRect().right > 0) field.focus();
  else location.href = field.form.action;
});
