// Depositing: says before sending what would be refused, and that sending is under way. Without it the
// form works alike, and the server says the same.
"use strict";
const begin = (form) => {
  if (!form) return;
  const field = form.querySelector("input[type=file]");
  const list = form.querySelector(".chosen");
  const sending = form.querySelector(".sending");
  const bar = sending.querySelector("progress");
  const words = form.dataset;
  const language = document.documentElement.lang;
  const known = /\.(pdf|jpe?g|png|tiff?|rtf|txt)$/i;
  const size = (octets) => new Intl.NumberFormat(language, {
    style: "unit", unit: octets < 1e6 ? "kilobyte" : "megabyte", maximumFractionDigits: 1,
  }).format(octets < 1e6 ? Math.max(octets / 1e3, 0.1) : octets / 1e6);

  const fault = (file) => {
    if (file.size > Number(words.limit)) return words.tooLarge;
    return known.test(file.name) ? "" : words.kind;
  };
  const look = () => {
    const files = [...field.files];
    list.replaceChildren(...files.map((file) => {
      const line = document.createElement("li");
      const wrong = fault(file);
      line.textContent = `${file.name} (${size(file.size)})${wrong ? ` : ${wrong}` : ""}`;
      line.className = wrong ? "wrong" : "";
      return line;
    }));
    const wrong = files.map(fault).find(Boolean) || "";
    field.setCustomValidity(files.length > Number(words.most) ? words.tooMany : wrong);
  };
  field.addEventListener("change", look);

  // The browser sends the form itself; this only says that it is under way.
  form.addEventListener("submit", () => {
    sending.hidden = false;
    bar.removeAttribute("value");
    sending.querySelector("span").textContent = words.sending;
    setTimeout(() => { form.querySelector("button[type=submit]").disabled = true; });
  });
  addEventListener("pageshow", () => {
    sending.hidden = true;
    form.querySelector("button[type=submit]").disabled = false;
  });
};
begin(document.querySelector("form[data-deposit]"));
