/** A text of our own that real models are measured with: longer than two windows of 256 tokens of any of their tokenizers. */
export const passage: string = `The lighthouse keeper rose before the sun, as he had done every morning for thirty years. He filled the kettle, lit the
stove, and stood for a while at the narrow window. The sea was grey and quiet. Far out, a fishing boat moved slowly towards the north, and
behind it the gulls made small white marks on the water. He wrote the date in his book, the height of the barometer and the direction of the
wind. Then he climbed the hundred and forty steps to the lamp, cleaned the glass, and let the great machine come to rest.

When he came down again a letter lay on the table. It had come with the boat the day before, and he had not yet opened it. He knew the
handwriting. His sister wrote once a year, always in the same week of spring, and always about the same things: the garden, the neighbours,
the price of bread, and whether he would not like to come home at last. He never knew what to answer. The truth was that he was at home. He
knew every stone of the island, every bird that nested in its walls, and every sound that the tower made in a storm.

In the afternoon the weather changed. Clouds came up from the west, first thin and white, then dark and heavy, and the wind began to pull at
the door. He brought in the washing, closed the shutters, and counted the candles. By evening the waves were breaking over the landing stage,
and the light turned above him with its steady beat. A ship's horn sounded somewhere in the darkness. He put on his coat and went up to see.
There was nothing to be seen but rain, and the long white arm of the lamp reaching out over the water, again and again, as if it were looking
for somebody. He stayed there until the morning. When the storm was over, he took a sheet of paper and began to write to his sister. "Dear
Anna," he wrote, "the garden here is small, but you should see what it grows."

Scientists have a simple explanation for the colour of the sky. Sunlight is a mixture of all colours, and the molecules of the air scatter
blue light more strongly than red light. During the day we therefore see blue in every direction. In the evening, when the light has to travel
a longer way through the air, most of the blue has been scattered out of it, and what is left is orange and red. On a planet without air the
sky would be black, even at noon, and the stars could be seen beside the sun. The same law explains why distant mountains look blue, and why
the smoke of a fire is blue in front of a dark wall and brown in front of a bright one.
`;
