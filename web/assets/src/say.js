// Words that scripts say: they stand in the page, in its language.
export function say(key, fields = {}) {
  const text = document.getElementById('spoken')?.dataset[key] ?? '';
  return text.replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? '');
}
