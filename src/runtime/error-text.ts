/** The most characters of an error's text that travel in a message. */
export const ERROR_TEXT_LIMIT = 500;

/** Cuts an error's text to the limit, its last three characters dots when it was longer. */
export function capErrorText(text: string): string {
  if (text.length <= ERROR_TEXT_LIMIT) return text;
  const characters = Array.from(text);
  return characters.length <= ERROR_TEXT_LIMIT ? text : `${characters.slice(0, ERROR_TEXT_LIMIT - 3).join('')}...`;
}
