"""Short reviews and posts, negative or positive; not by their words alone.

In: number of texts, seed.  Out: LABELS, generate().  Imports: the standard library alone.

A text is an aside and a judgement of one thing. Judgements are plain, negated ("the soup was by no means bland"),
contrasted ("the room was cold, but the host was kind": what follows `but`, or stands outside the `although`, counts),
ironic, or undecided, where a coin decides the label. So both classes use the same words, and their order matters.
"""

from collections.abc import Iterator
from random import Random

from pipeline.corpus.generated.grammar import Grammar, pick

LABELS = ("negative", "positive")

# Shares of the kinds of judgement, in per cent. Irony is negative whatever its words, so only that class draws it.
SHARES = {"plain": 72, "negated": 9, "contrasted": 9, "undecided": 6, "ironic": 4}

# `same` and `other` are adjectives of the judgement's own and of the opposite polarity.
JUDGEMENTS = {
    "plain": """{thing} was {degree} {same} and {thing} {seemed} {same} |
        {thing} {seemed} {same}, {filler}, and {thing} was {degree} {same} |
        {opinion} {degree} {same} {noun}, {end_same} | {end_same}, {thing} was {degree} {same} |
        {thing} {seemed} {same} to me and {end_same} | {same} {noun}, {same} {part} and {degree} {same} {part}""",
    "negated": """{thing} was {negation} {other} and {thing} {seemed} {negation} {other} |
        {nobody} could call {thing} {other}, {filler} | there was nothing {other} about {thing}, {filler} |
        {never} did i find {thing} {other} or {thing} {other} | {thing} was {negation} {other}, whatever they say |
        {thing} {seemed} anything but {other}, {filler}""",
    "contrasted": """{thing} was {degree} {other}, but {thing} {seemed} {same} |
        {although} {thing} {seemed} {other}, {thing} was {degree} {same} |
        {thing} was {degree} {same} {although} {thing} {seemed} {other} |
        i expected {thing} to be {other}, but in the end it was {same} |
        they promised a {degree} {other} {noun} and what we got was {same} |
        {end_other}, but {thing} was {degree} {same}""",
    "undecided": """{thing} was {degree} {same} and {thing} {seemed} {other} |
        {thing} {seemed} {other} to some of us and {same} to others |
        a {same} {noun} with a {degree} {other} {part}, {filler} |
        {thing} {seemed} {faint} and {thing} was {faint}, {filler}""",
    "ironic": """oh {positive}, {mishap} again, {filler} | {mishap}, how {positive}, just what i needed |
        thanks for the {degree} {positive} {noun}, {mishap} |
        what a {positive} surprise, {mishap} and nobody cared""",
}

# What is judged: each has its own asides, parts and nouns.
SUBJECTS = {
    "film": {
        "did": """saw it at the cinema | watched it at home | caught the late showing | saw the old version |
            read the novel""",
        "part": "plot | cast | ending | camera | music | script | picture | hero | first half | dialogue | scenery",
        "noun": "film | story | evening | picture | two hours",
    },
    "hotel": {
        "did": "stayed there | booked a double room | slept there | arrived late | checked in | took the room upstairs",
        "part": "room | bed | view | breakfast | shower | staff | host | pool | carpet | heating | garden | location",
        "noun": "stay | hotel | holiday | week | place",
    },
    "restaurant": {
        "did": "had dinner there | ordered the lunch menu | ate outside | shared a table | called in for coffee",
        "part": "food | soup | waiter | menu | coffee | dessert | service | table | kitchen | bread | price | wine",
        "noun": "meal | dinner | place | menu | evening",
    },
    "phone": {
        "did": """bought it | tried it in the shop | unpacked it | used it every day | got it as a present |
            replaced the old one""",
        "part": """screen | battery | camera | sound | design | keyboard | manual | cover | update | menu | price |
            picture""",
        "noun": "phone | device | purchase | present | model",
    },
    "concert": {
        "did": """had tickets | stood near the stage | heard them live | sat in the last row | sang along |
            queued outside""",
        "part": "sound | band | singer | light | stage | song | chorus | opening | seat | crowd | second half | ticket",
        "noun": "concert | show | evening | performance | night",
    },
    "tour": {
        "did": "took the bus | joined the tour | walked up the hill | went by boat | followed the guide | hired bikes",
        "part": "guide | driver | view | castle | seat | harbour | path | museum | map | beach | picnic | village",
        "noun": "trip | tour | day | ride | walk",
    },
    "course": {
        "did": """took the class | signed up | did the homework | sat in the front row | joined halfway |
            repeated the test""",
        "part": """teacher | lesson | book | room | group | test | pace | website | homework | first unit | price |
            video""",
        "noun": "course | lesson | term | class | experience",
    },
    "shop": {
        "did": "ordered online | went in | asked for help | returned a coat | bought shoes | picked up the parcel",
        "part": """staff | price | queue | website | delivery | box | quality | service | counter | choice | parking |
            sale""",
        "noun": "shop | visit | purchase | market | order",
    },
}

RULES = {
    "text": "{aside}, {judgement} | {judgement}, {aside} | {aside} and {judgement} | {judgement}. {aside}",
    "aside": """{we} {did} {time} | {we} {did} with {person} {time} | {time} {we} {did} | finally {did} {time} |
        {person} told me about it and {we} {did} | {person} and i {did} {time} | {we} {did} for the second time |
        {time} {person} and i {did}""",
    "we": "we | i | all of us | the two of us | some friends | my family",
    "time": """last night | on monday | on sunday morning | this afternoon | after work | before lunch | in the rain |
        last summer | for the first time | on my birthday | at short notice | at the weekend | during the holidays |
        late in the evening | on the way home | early in the spring | a week ago | in december | after the match |
        on a busy friday""",
    "span": "two hours | an hour | three days | a whole week | ten minutes | one night | half a day | a month",
    "person": """my sister | my brother | a friend | my neighbour | our teacher | my boss | the kids | my mother |
        my father | a colleague | my cousin | my aunt | my partner | an old friend | my grandson""",
    "thing": "the {part} | the {part} | our {part} | this {part} | everything about the {part} | the whole {part}",
    "seemed": "seemed | felt | looked | turned out | was | remained",
    "degree": "really | very | quite | so | pretty | rather | truly | simply | somewhat | absolutely",
    "opinion": "honestly a | for me a | all in all a | i call that a | once more a | in short a",
    "negation": """not | never | hardly | not at all | by no means | not exactly | not even remotely | no longer |
        not very | not particularly | never really | far from""",
    "never": "never | at no point | not once | hardly ever",
    "nobody": "nobody | no one | not one of us | nobody there | none of my friends",
    "although": "although | even though | even if | despite the fact that | while",
    "filler": """to be fair | if you ask me | as usual | i must say | for what it is worth | as far as i can tell |
        at least for us | as i said | in my opinion | once again | no question | believe it or not""",
    "end_positive": """i would go again | i smiled all the way home | we stayed until the end | worth every penny |
        i recommended it to everyone | i cannot wait for more | we laughed a lot | five stars | it made my day |
        we left happy | i want another one | they earned the tip""",
    "end_negative": """i would not go again | i frowned all the way home | we left before the end |
        a waste of every penny | i warned everyone | i want my money back | we argued a lot | one star |
        it ruined my day | we left angry | i complained to everyone | they forgot about us""",
    "mishap": """the {part} was missing | {span} of waiting | no {part} for {span} | they forgot the {part} |
        a bill for {span} of {part} | the {part} gave up after {span}""",
    "positive": """great | lovely | kind | warm | fresh | clever | funny | bright | superb | charming | smooth |
        gentle | brilliant | tasteful | honest | generous | beautiful | delightful | comfortable | friendly |
        excellent | elegant | witty | helpful | spotless | thoughtful | cheerful | impressive | wonderful | pleasant |
        perfect | reliable | {faint} | {faint} | {faint}""",
    "negative": """awful | dull | rude | cold | stale | stupid | boring | dark | dreadful | ugly | rough | harsh |
        terrible | bland | dishonest | greedy | hideous | painful | cramped | hostile | poor | clumsy | lame |
        useless | filthy | careless | gloomy | disappointing | horrible | nasty | broken | flimsy | {faint} |
        {faint} | {faint}""",
    "faint": """long | loud | simple | strange | slow | quiet | cheap | short | old | small | busy | different |
        plain | serious | modern | heavy | familiar | quick | sweet | intense""",
}

GRAMMAR = Grammar(
    RULES | JUDGEMENTS | {f"{slot}_{name}": words for name, rules in SUBJECTS.items() for slot, words in rules.items()}
)
KINDS = [kind for kind, share in SHARES.items() for _ in range(share)]


def generate(rows: int, seed: int) -> Iterator[tuple[str, str]]:
    """`rows` pairs (text, label), the classes taking turns."""
    random = Random(seed)
    for index in range(rows):
        yield write(LABELS[index % 2], random), LABELS[index % 2]


def write(label: str, random: Random) -> str:
    """A text of class `label`."""
    kind = pick(KINDS, random)
    if kind == "ironic" and label == "positive":
        kind = "plain"
    same, other = label, LABELS[1 - LABELS.index(label)]
    if kind == "undecided" and random.random() < 0.5:
        same, other = other, same
    subject = pick(list(SUBJECTS), random)
    rules = {"judgement": kind, "same": same, "other": other, "end_same": f"end_{same}", "end_other": f"end_{other}"}
    rules |= {slot: f"{slot}_{subject}" for slot in SUBJECTS[subject]}
    return GRAMMAR.expand("text", random, lambda slot: rules.get(slot, slot))
