// Elements of the page.

export const byId = id => document.getElementById(id);

/** An element; an attribute that is true or false is there or not. */
export function make(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (typeof value === 'boolean')
      made.toggleAttribute(key, value);
    else
      made.setAttribute(key, value);
  made.append(...content);
  return made;
}

export function setText(id, text) {
  if (byId(id).textContent !== text)
    byId(id).textContent = text;
}
