"""Short reviews and posts, negative or positive; not by their words alone.

In: number of texts, seed.  Out: generate().  Imports: the standard library alone.

A text is an aside and a judgement. Judgements are plain, negated ("hardly a dull evening"), contrasted ("the room was
cold, but the host was kind": what follows `but`, or stands outside the `although`, counts), ironic, or undecided, in
which case the label is a coin's. So the words of both classes are the same ones, and their order matters.
"""

from random import Random

from pipeline.corpus.embedded.grammar import Grammar, pick

LABELS = ("negative", "positive")

# `same` and `other` are words of the judgement's own and of the opposite polarity.
JUDGEMENTS = {
    "plain": """{thing} was {degree} {same} and {thing} {seemed} {same} |
        {thing} {seemed} {same}, {filler}, {same} from start to finish |
        {opinion} {degree} {same} {noun}, {end_same} |
        {end_same}, {thing} was {degree} {same} |
        {thing} {seemed} {same} to me and {end_same}""",
    "negated": """{thing} was {negation} {other} and {thing} {seemed} {negation} {other} |
        {nobody} could call {thing} {other}, {filler} |
        there was nothing {other} about {thing}, {filler} |
        i {never} found {thing} {degree} {other} |
        {thing} was {negation} {degree} {other}, whatever they say |
        {thing} {seemed} anything but {other}, {filler}""",
    "contrasted": """{thing} was {degree} {other}, but {thing} {seemed} {same} |
        {although} {thing} {seemed} {other}, {thing} was {degree} {same} |
        {thing} was {degree} {same} {although} {thing} {seemed} {other} |
        i expected {thing} to be {other}, but in the end {thing} was {same} |
        they promised {degree} {other} {noun} and what we got {seemed} {same} |
        {end_other}, but {thing} was {degree} {same}""",
    "undecided": """{thing} was {degree} {same} and {thing} {seemed} {other} |
        {thing} {seemed} {other} to some of us and {same} to others |
        {degree} {same} {noun} with {degree} {other} {noun}, {filler} |
        {thing} {seemed} {faint} and {thing} was {faint}, {filler}""",
    "ironic": """oh {positive}, {mishap} again, {filler} |
        {mishap}, how {positive}, just what i needed |
        thanks for {degree} {positive} {noun}, {mishap} |
        what a {positive} surprise, {mishap} and nobody cared""",
}

RULES = JUDGEMENTS | {
    "text": "{aside}, {judgement} | {judgement}, {aside} | {aside} and {judgement} | {judgement}. {aside}",
    "aside": """{we} {went} {place} {time} | {we} {went} {place} with {person} {time} | {person} took me {place} {time} |
        {time} {we} {went} {place} | {person} told me about this {time} | second visit {place} {time} |
        {we} stayed {place} for {span} | {we} were {place} for {span} with {person} | finally {went} {place} {time} |
        {person} and i {went} {place} {time}""",
    "we": "we | i | all of us | the two of us | some friends | my family",
    "went": "went | stopped | called in | met | turned up | waited | got in | arrived",
    "place": """at the cinema | at the hotel | at the cafe | at the market | at the museum | at the concert hall |
        at the station | at the clinic | at the gym | at the garage | at the library | at the beach | at the bakery |
        at the theatre | at the campsite | at the pool | at the garden centre | at the airport | at the harbour |
        at the workshop | at the college | at the bookshop | at the stadium | at the castle | at the farm""",
    "time": """last night | on monday | on sunday morning | this afternoon | after work | before lunch | in the rain |
        last summer | for the first time | on my birthday | at short notice | at the weekend | during the holidays |
        late in the evening | on the way home | early in the spring | a week ago | in december | after the match |
        on a busy friday""",
    "span": "two hours | an hour | three days | a whole week | ten minutes | one night | half a day | a month",
    "person": """my sister | my brother | a friend | my neighbour | our teacher | my boss | the kids | my mother |
        my father | a colleague | my cousin | our guide | my aunt | my partner | an old friend | my grandson""",
    "thing": """the {part} | the {part} | the {part} | our {part} | this {part} | everything about the {part} |
        the whole {part}""",
    "part": """service | food | room | story | sound | view | staff | seat | ending | music | screen | coffee | plot |
        menu | price | queue | driver | guide | picture | design | handle | battery | cover | garden | bed | shower |
        lesson | recipe | soup | cast | light | camera | keyboard | manual | delivery | box | app | update | waiter |
        host | breakfast | tour | exhibition | song | chorus | second half | opening | conclusion | atmosphere |
        parking | heating | carpet | kitchen | playground | bathroom | counter | ticket | website""",
    "noun": """evening | trip | meal | film | book | stay | afternoon | show | phone | course | present | ride | walk |
        purchase | event | game | performance | visit | night out | experience""",
    "seemed": "seemed | felt | looked | turned out | was | remained",
    "degree": "really | very | quite | so | pretty | rather | truly | simply | a bit | absolutely",
    "opinion": "honestly a | for me a | all in all a | i call that a | easily the most | once more a",
    "negation": "not | never | hardly | not at all | by no means | not exactly | not even remotely | no longer",
    "never": "never | at no point | not once | hardly ever",
    "nobody": "nobody | no one | not one of us | nobody there | none of my friends",
    "although": "although | even though | even if | despite the fact that | while",
    "filler": """to be fair | if you ask me | as usual | i must say | for what it is worth | as far as i can tell |
        at least for us | as i said | in my opinion | once again | no question | believe it or not""",
    "end_positive": """i would go again | i smiled all the way home | we stayed until they closed | worth every penny |
        i recommended it to everyone | i cannot wait to return | we laughed a lot | five stars | it made my day |
        we left happy | i want another one | they earned the tip""",
    "end_negative": """i would not go again | i frowned all the way home | we left before they closed |
        a waste of every penny | i warned everyone | i want my money back | we argued a lot | one star |
        it ruined my day | we left angry | i sent it back | they forgot the order""",
    "mishap": """the {part} broke | the {part} was missing | the {part} failed | {span} of waiting | no {part} for {span} |
        they lost the {part} | a bill for {span} of {part} | the {part} fell apart""",
    "positive": """great | lovely | kind | warm | fresh | clever | funny | bright | superb | charming | smooth | gentle |
        brilliant | tasty | honest | generous | beautiful | delightful | comfortable | friendly | excellent | elegant |
        witty | helpful | spotless | thoughtful | cheerful | impressive | wonderful | pleasant | perfect | reliable |
        {faint} | {faint} | {faint}""",
    "negative": """awful | dull | rude | cold | stale | stupid | boring | dark | dreadful | ugly | rough | harsh |
        terrible | bland | dishonest | greedy | hideous | painful | cramped | hostile | poor | clumsy | lame | useless |
        filthy | careless | gloomy | disappointing | horrible | nasty | broken | flimsy | {faint} | {faint} | {faint}""",
    "faint": """long | loud | simple | strange | slow | quiet | cheap | short | old | small | busy | different | plain |
        serious | modern | heavy | familiar | quick | sweet | intense""",
}
GRAMMAR = Grammar(RULES)

# Shares of the kinds of judgement, in per cent. Irony is negative whatever its words, so it is drawn for that class.
SHARES = {"plain": 62, "negated": 13, "contrasted": 12, "undecided": 8, "ironic": 5}
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]


def generate(rows: int, seed: int) -> list[tuple[str, str]]:
    """`rows` pairs (text, label), the classes taking turns."""
    random = Random(seed)
    return [write(LABELS[index % 2], random) for index in range(rows)]


def write(label: str, random: Random) -> tuple[str, str]:
    """A text of class `label`, and its label."""
    kind = pick(KINDS, random)
    if kind == "ironic" and label == "positive":
        kind = "plain"
    same, other = label, LABELS[1 - LABELS.index(label)]
    if kind == "undecided" and random.random() < 0.5:
        same, other = other, same
    rules = {"judgement": kind, "same": same, "other": other, "end_same": f"end_{same}", "end_other": f"end_{other}"}
    return GRAMMAR.expand("text", random, lambda slot: rules.get(slot, slot)), label
