/** Invented words: no person, place or company of these names is meant. */
export const ROOMS = ['Kitchen', 'Hall', 'Attic', 'Cellar', 'Bedroom', 'Bathroom', 'Garage', 'Porch', 'Study', 'Laundry'] as const;
export const NOTES = [
  'water below the sink',
  'shingles lifted',
  'ceiling stained',
  'baseboard swollen',
  'window pane cracked',
  'carpet soaked',
  'drywall removed to 60 cm',
  'no damage found',
] as const;
export const FIRST_NAMES = ['Ada', 'Bo', 'Cleo', 'Dov', 'Edda', 'Finn', 'Gus', 'Hale', 'Iva', 'Jun', 'Kit', 'Lio'] as const;
export const LAST_NAMES = ['Sample', 'Mockford', 'Fixture', 'Dummy', 'Stubb', 'Testerman', 'Placeholder', 'Specimen'] as const;
export const CARRIERS = ['Demo Mutual', 'Example Casualty', 'Sample Assurance', 'Placeholder Indemnity'] as const;
export const STREETS = ['Mock Way', 'Demo Road', 'Stub Lane', 'Fixture Street', 'Sample Avenue'] as const;
export const LOSSES = ['Hail', 'Wind', 'Water', 'Fire', 'Freeze', 'Theft'] as const;
export const FILE_STEMS = [
  'estimate',
  'photo',
  'invoice',
  'report',
  'roof plan',
  'scope',
  'inventory',
  'Übersicht',
  'moisture-log',
  'letter',
] as const;
