"""Which English words name different things of one kind? Tables only; a row more is a case more.

A pair is refused when each side keeps a word of one row that the other lacks in any form. Words are
compared by stem, so one form of each is enough; a word may stand in several rows.
"""

from __future__ import annotations

KINDS: dict[str, tuple[str, ...]] = {
    "plan or tier": (
        "basic standard regular premium platinum gold silver bronze diamond pro plus enterprise starter essential"
        " deluxe ultimate elite business student personal family individual free trial economy first-class"
        " senior junior corporate professional team developer lite advanced signature select vip",
        "beginner intermediate advanced",
        "ppo hmo epo pos hdhp",
        "standard express overnight economy same-day next-day expedited priority",
        "window aisle middle",
        "prepaid postpaid",
        "roth traditional",
        "collision comprehensive liability",
        "matinee evening",
    ),
    "role": (
        "admin administrator owner member guest viewer editor manager moderator contributor agent operator user"
        " customer employee contractor freelancer intern volunteer",
        "undergraduate graduate postgraduate phd doctoral master bachelor associate mba freshman sophomore",
        "adult child infant senior teenager toddler newborn",
        "tenant landlord subtenant roommate owner",
        "citizen resident tourist visitor foreigner immigrant refugee",
        "dentist dermatologist cardiologist pediatrician psychiatrist surgeon optometrist gynecologist neurologist"
        " orthopedist physiotherapist nurse pharmacist psychologist radiologist",
        "full-time part-time temporary permanent seasonal",
        "executor beneficiary trustee guardian",
        "author editor reviewer publisher",
        "driver passenger rider pedestrian cyclist",
        "plaintiff defendant witness juror",
        "father mother",
        "pregnant breastfeeding",
    ),
    "account or product": (
        "checking savings brokerage mortgage loan investment retirement pension ira 401k cd money-market heloc",
        "credit debit prepaid gift store",
        "wire ach zelle paypal venmo cheque check cash bitcoin crypto sepa swift bacs giro applepay googlepay klarna",
        "visa mastercard amex discover maestro unionpay",
        "card account loan mortgage policy",
        "fdic sipc ncua",
        "stock bond etf crypto option future dividend",
        "car auto home house renter life health dental vision pet travel motorcycle boat flood disability earthquake",
        "phone tablet laptop desktop watch tv console printer camera router headphone speaker monitor keyboard mouse"
        " projector scanner microphone webcam charger",
        "shirt shoe pant jacket dress sock hat coat sweater jeans skirt boot glove scarf belt hoodie suit swimsuit"
        " underwear sneaker sandal",
        "ring necklace bracelet earring watch",
        "sofa table chair bed desk lamp mattress wardrobe shelf bookcase dresser rug curtain",
        "dishwasher washer dryer refrigerator fridge freezer oven stove microwave vacuum toaster kettle heater boiler"
        " blender mixer dehumidifier humidifier air-fryer",
        "flight hotel train bus car cruise ferry taxi tour",
        "email sms phone chat mail fax whatsapp letter text",
        "password username pin email address phone name birthday photo avatar nickname",
        "order subscription invoice reservation booking appointment membership ticket claim",
        "deductible premium copay coinsurance",
        "passport visa license permit certificate",
        "birth marriage death divorce adoption",
        "water gas electricity electric internet broadband sewage trash",
        "breakfast lunch dinner brunch supper",
        "pdf csv excel xlsx json xml word docx html markdown yaml png jpg jpeg svg gif mp3 mp4 wav zip tar epub",
        "course exam assignment lecture degree diploma dorm scholarship",
        "exam quiz midterm essay homework thesis dissertation",
        "bug feature crash",
        "sms app authenticator fingerprint face",
        "tuition rent salary",
        "salary bonus commission overtime severance stipend pension",
        "sick vacation parental maternity paternity bereavement sabbatical",
        "warranty refund return exchange replacement repair",
        "shampoo conditioner soap lotion sunscreen toner serum moisturizer cleanser mascara lipstick foundation"
        " deodorant perfume",
        "apartment house condo studio townhouse villa cabin room",
        "parking gym pool sauna laundry elevator storage balcony locker spa",
        "novel magazine newspaper audiobook ebook dvd comic textbook",
        "podcast video article webinar newsletter",
        "will trust deed lease contract",
        "income sales property estate inheritance payroll gift",
        "solar wind coal nuclear hydro",
        "ups fedex usps dhl",
        "verizon t-mobile at&t vodafone sprint",
        "voicemail roaming hotspot",
    ),
    "platform": (
        "iphone android ipad ios ipados macos mac windows linux ubuntu debian fedora chromebook xbox playstation",
        "ps4 ps5 xbox switch steam pc",
        "chrome firefox safari edge opera brave",
        "python java javascript typescript golang go rust ruby php swift kotlin scala perl haskell c c++ c# r matlab"
        " bash powershell sql",
        "mysql postgres postgresql sqlite mongodb redis oracle mariadb cassandra dynamodb elasticsearch bigquery"
        " snowflake",
        "aws azure gcp heroku",
        "react angular vue svelte django flask fastapi rails laravel spring express",
        "numpy pandas polars scipy pytorch tensorflow keras jax",
        "git svn mercurial",
        "github gitlab bitbucket",
        "docker podman kubernetes",
        "nginx apache caddy haproxy",
        "pip conda poetry npm yarn pnpm cargo maven gradle",
        "jenkins circleci travis",
        "kafka rabbitmq celery",
        "vscode pycharm intellij vim emacs eclipse",
        "http https ftp sftp ssh smtp tcp udp grpc graphql rest",
        "facebook instagram twitter tiktok youtube linkedin snapchat reddit pinterest whatsapp telegram quora",
        "gmail outlook yahoo hotmail icloud",
        "netflix hulu disney spotify",
        "zoom teams slack discord skype",
        "excel powerpoint word outlook onenote",
        "google amazon apple microsoft samsung meta tesla ibm oracle uber lyft",
        "toyota honda ford bmw audi mercedes nissan hyundai kia tesla volkswagen volvo mazda subaru chevrolet porsche",
        "website web app mobile desktop branch store phone",
        "staging production development",
        "ram cpu gpu ssd hdd",
        "bluetooth wifi ethernet nfc",
        "vpn proxy firewall antivirus",
        "tuple dict array string integer float boolean",
        "merge rebase cherry-pick squash",
        "3g 4g 5g lte",
    ),
    "time": (
        "monday tuesday wednesday thursday friday saturday sunday",
        "january february march april may june july august september october november december",
        "spring summer autumn fall winter",
        "yesterday today tomorrow tonight",
        "morning afternoon evening night noon midnight",
        "hourly daily weekly monthly quarterly annual yearly biweekly",
        "week month year decade century",
        "weekday weekend holiday",
        "last next previous following upcoming",
        "first second third fourth fifth sixth",
        "christmas easter thanksgiving halloween ramadan hanukkah diwali",
        "semester trimester",
    ),
    "place": (
        "usa us america uk britain england scotland wales ireland france germany spain italy portugal netherlands"
        " belgium switzerland austria poland sweden norway denmark finland greece turkey russia ukraine china japan"
        " korea india pakistan bangladesh indonesia malaysia singapore thailand vietnam philippines australia"
        " canada mexico brazil argentina chile colombia peru egypt nigeria kenya israel iran iraq dubai uae europe eu"
        " asia africa taiwan romania hungary hawaii california texas florida alaska iceland croatia czechia morocco"
        " nepal cuba oregon washington nevada arizona colorado ohio michigan illinois georgia virginia utah",
        "london paris berlin madrid rome tokyo seoul busan beijing shanghai delhi mumbai bangalore sydney melbourne"
        " toronto vancouver chicago boston seattle dallas houston miami denver atlanta amsterdam dublin vienna"
        " barcelona milan munich hamburg lisbon prague budapest warsaw stockholm oslo copenhagen helsinki brussels"
        " zurich geneva athens istanbul moscow osaka kyoto bangkok hanoi jakarta manila cairo dubai doha singapore",
        "english french german spanish italian portuguese dutch russian chinese japanese korean hindi arabic turkish"
        " polish swedish latin greek mandarin cantonese",
        "american british canadian australian indian",
        "usd eur gbp jpy krw cny inr aud cad chf dollar euro pound yen won yuan rupee franc",
        "north south east west",
        "home work school office airport",
        "earth mars venus jupiter saturn mercury neptune uranus moon sun",
        "kitchen bathroom bedroom garage basement attic balcony garden hallway lobby rooftop",
        "hospital pharmacy clinic library museum bank restaurant supermarket cinema theater stadium",
        "beach mountain lake river forest desert",
        "federal state county city",
    ),
    "size, colour or material": (
        "red blue green yellow orange purple pink black white brown grey gray beige navy turquoise",
        "small medium large xl xxl xs",
        "single double triple twin queen king",
        "wood metal plastic glass leather cotton wool silk polyester nylon linen denim suede velvet steel aluminum"
        " aluminium copper brass iron ceramic marble granite concrete brick vinyl laminate titanium bamboo",
        "liter litre gallon ounce gram pound lb kilogram kilo kg stone cup tablespoon teaspoon pint quart",
        "bit byte kilobit kilobyte megabit megabyte gigabit gigabyte terabyte",
        "celsius fahrenheit kelvin",
        "mile kilometer kilometre meter metre foot inch yard centimeter centimetre millimeter km",
        "matte glossy",
    ),
    "food": (
        "chicken beef pork lamb turkey fish salmon tuna shrimp prawn tofu bacon sausage ham veal duck cod crab lobster"
        " squid octopus egg steak",
        "rice pasta noodle bread potato quinoa couscous oat barley",
        "carrot beet broccoli cabbage onion garlic tomato cucumber spinach lettuce zucchini eggplant mushroom celery"
        " pea bean corn pumpkin kale cauliflower asparagus",
        "apple banana orange lemon lime grape strawberry blueberry raspberry mango peach pear pineapple cherry plum"
        " watermelon avocado coconut kiwi",
        "milk cream butter yogurt cheese buttermilk margarine",
        "milk water juice alcohol coffee tea",
        "sugar salt honey flour yeast vinegar cornstarch",
        "coffee tea juice soda beer wine whisky vodka champagne",
        "almond peanut walnut cashew pistachio hazelnut",
        "basil oregano thyme rosemary cilantro parsley mint dill cumin turmeric cinnamon ginger paprika",
        "cake cookie brownie muffin pancake waffle pie pizza lasagna soup stew salad omelette",
        "boil fry bake roast grill steam simmer saute poach microwave blanch smoke toast barbecue",
        "vegan vegetarian keto paleo halal kosher",
        "gluten lactose nut soy dairy",
    ),
    "living things": (
        "dog cat bird rabbit hamster fish turtle horse cow pig sheep goat snake lizard parrot ferret spider",
        "rose tulip orchid lily cactus succulent fern lawn hedge hydrangea lavender",
        "ant cockroach mosquito bee wasp termite moth bedbug flea tick mouse rat",
    ),
    "health": (
        "fever cough headache rash nausea pain diarrhea migraine dizziness insomnia fatigue vomiting heartburn",
        "vaccine antibiotic vitamin painkiller",
        "aspirin ibuprofen paracetamol acetaminophen naproxen amoxicillin penicillin metformin insulin melatonin"
        " antihistamine ozempic prozac xanax codeine morphine",
        "flu cold covid diabetes asthma cancer arthritis pneumonia hepatitis malaria measles anemia eczema psoriasis"
        " depression anxiety hypertension osteoporosis epilepsy",
        "head neck shoulder elbow wrist hand finger arm leg knee ankle foot toe hip chest stomach eye ear nose throat"
        " tooth heart liver kidney lung brain spine",
        "iron calcium magnesium zinc potassium sodium iodine",
        "systolic diastolic",
        "tablet capsule syrup injection ointment cream drop inhaler patch",
        "mri ct xray x-ray ultrasound biopsy",
    ),
    "sport and art": (
        "soccer football basketball baseball tennis golf hockey volleyball cricket rugby swimming cycling boxing yoga"
        " pilates zumba spinning skiing snowboarding surfing badminton karate judo climbing",
        "squat deadlift lunge plank pushup pull-up",
        "guitar piano violin drum flute trumpet cello saxophone ukulele",
        "math physics chemistry biology history geography economics psychology philosophy literature statistics"
        " sociology law engineering medicine nursing accounting finance marketing",
        "acrylic watercolor gouache pastel charcoal",
        "knit crochet sew embroider quilt weave",
        "opera ballet concert musical play",
    ),
    "vehicle and part": (
        "car truck suv van motorcycle bicycle bike scooter bus train plane boat ship tram subway ferry taxi helicopter",
        "diesel petrol gasoline hybrid electric hydrogen lpg",
        "tire brake battery engine transmission clutch radiator alternator windshield wiper headlight muffler exhaust"
        " coolant filter suspension bumper mirror",
        "sedan hatchback coupe convertible",
    ),
    "aspect": (
        "advantage disadvantage benefit drawback risk cause symptom treatment cure diagnosis prevention side-effect"
        " definition history origin example purpose",
        "price size weight color colour height width length speed age depth",
        "limit fee rate balance deadline penalty requirement eligibility",
        "capital population currency language flag president area religion",
        "author director actor producer publisher composer",
        "activation registration cancellation verification delivery installation renewal",
        "fee price age deadline duration distance height weight limit",
        "hardware software",
        "calorie protein fat sugar carb sodium fiber",
        "ingredient dosage expiry",
        "latency throughput bandwidth",
        "volume brightness contrast",
    ),
}
"""Things of a kind: one does not stand for another."""
