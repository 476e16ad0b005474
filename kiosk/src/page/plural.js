/** Texts with a number. */

/**
 * Return a text with a number in it, in the plural form that the language has for it.
 *
 * @param {{other: string} & Partial<Record<Intl.LDMLPluralRule, string>>} forms texts with `{count}`
 * @param {number} count
 * @param {string} language
 */
export function counted(forms, count, language) {
  const form = new Intl.PluralRules(language).select(count);
  return (forms[form] ?? forms.other).replace("{count}", String(count));
}
