import { editorSchema } from '../../config/reference.js';
import { specSchema } from './spec-schema.js';

/** The JSON Schema of files of marble specs, for editors to complete and check with. */
export function specJsonSchema(): object {
  return editorSchema(specSchema);
}
