// Shows what was typed, and marks the rules that a new password meets. The pages work without it.
for (const button of document.querySelectorAll("button.reveal")) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? button.dataset.hide : button.dataset.show;
    button.setAttribute("aria-label", shown ? button.dataset.hideLabel : button.dataset.showLabel);
  };
  show(false);
  button.hidden = false;
  button.addEventListener("click", () => show(input.type === "password"));
  // Sent as a password again, so that no browser keeps it among the texts it has seen.
  input.form.addEventListener("submit", () => show(false));
}

const RULES = {
  length: (text, least) => [...text.normalize("NFC")].length >= least,
  lower: (text) => /\p{Ll}/u.test(text),
  upper: (text) => /\p{Lu}/u.test(text),
  digit: (text) => /\p{Nd}/u.test(text),
};

for (const list of document.querySelectorAll(".rules")) {
  const input = document.getElementById(list.dataset.for);
  const marks = [...list.children].map((item) => {
    const mark = document.createElement("span");
    mark.className = "unseen";
    item.append(mark);
    return { item, mark };
  });
  const look = () => {
    for (const { item, mark } of marks) {
      const met = RULES[item.dataset.rule](input.value, Number(item.dataset.least));
      item.classList.toggle("met", met);
      mark.textContent = met ? ` (${list.dataset.met})` : "";
    }
  };
  input.addEventListener("input", look);
  look();
}
