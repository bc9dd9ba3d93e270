"""Which English words may stand for each other in a rewording? Tables only; a row more is a case more.

Being listed here only spares a refusal: it never makes two questions alike. A word may stand in several
rows. Rows are running text, between commas; words are compared by stem.
"""

from __future__ import annotations

EQUAL = """price cost fee charge rate expense pay, send transfer move wire remit, cancel terminate end quit
    stop leave drop,
    begin start commence launch open, buy purchase order, fix repair solve resolve troubleshoot mend rectify,
    change modify update edit alter adjust switch swap replace correct, delete remove erase clear wipe,
    phone telephone mobile cell cellphone smartphone handset, photo picture image pic, movie film,
    car automobile vehicle auto, quick fast rapid speedy soon, big large huge size, best top greatest right good ideal
    recommended, learn study, job work career employment occupation, earn make, arrive come reach, ship deliver send
    dispatch delivery shipment, clear settle complete process finish finalize, refund reimburse reimbursement
    money-back return, allow permit let able authorize ok okay, close shut, increase raise boost grow up,
    reduce decrease lower cut shrink lessen, get obtain receive acquire gain collect, require need necessary must
    required requirement have, cover include coverage insure insurance, enroll register signup join apply
    subscribe, eligible qualify entitled, login signin log-in sign-in access connect, logout signout log-out
    sign-out, lost
    stolen missing misplaced, broken damaged defective faulty malfunction, bill invoice statement, limit
    maximum cap max most,
    minimum lowest min least low shortest smallest, client customer cardholder, holiday vacation leave pto,
    doctor physician
    medic, kid child children minor, kid child son, kid child daughter, lawyer attorney solicitor, flat
    apartment condo,
    trip journey travel trek, location place address spot, maturity mature, automatic automatically auto,
    waive free waiver exempt avoid, mandatory required compulsory obligatory must need, reset recover restore, verify
    confirm validate verification confirmation, view see check look show display find pull read, create make set open
    setup build generate, app application program, website site webpage online, method way approach option
    procedure process step,
    reason cause why, mean meaning definition define stand, difference differ different distinguish versus vs,
    tax taxes taxable taxed, wait time take last, accept take support honor, average typical, member join
    membership register, schedule setup
    arrange plan, difficult hard
    tough, important
    essential crucial vital, improve enhance better boost, effect impact affect influence, weight fat heavy, loss
    lose, atm cashpoint, dispute contest challenge appeal, replace replacement exchange swap substitute, return
    send-back, freeze lock block suspend pause hold, document paperwork paper form, salary pay wage income
    paycheck payday,
    parcel package box, coupon voucher promo discount code promotional, queue line, deposit put add, error
    fault problem issue
    trouble bug, fail decline reject deny, pin passcode, password passcode, 2fa two-factor mfa, wifi wi-fi wireless,
    usa us america american, uk britain british, eu europe european, autumn fall, grey gray, colour color, postgres
    postgresql, mac macos, ml machine-learning, ai artificial-intelligence, admin administrator, organize organise,
    tv television, maths math mathematics, uni university college school, rich wealthy, happen occur, country
    nation, smart
    intelligent clever, rep representative agent, baby infant newborn, film movie flick, couch sofa settee,
    fridge refrigerator, lift elevator, petrol gas gasoline fuel, bathroom restroom toilet washroom loo, rubbish
    garbage trash waste, pavement sidewalk, luggage baggage bag suitcase, carry-on cabin hand, plane aircraft airplane
    flight, ticket fare, cheap inexpensive affordable budget, expensive pricey costly, road street highway motorway
    freeway, shop store outlet, staff employee personnel worker, boss manager supervisor, colleague coworker,
    firm company
    business employer, resign quit leave, layoff fire dismiss terminate, hire recruit employ, exam test, mark
    grade score,
    professor lecturer teacher instructor tutor, pupil student, lesson class course, semester term,
    credit point, housing dorm accommodation residence, landlord owner lessor, tenant renter lessee, rent lease,
    utility utilities, pet animal, cat feline, illness sickness disease, sick ill unwell,
    medicine drug
    medication pill tablet, dose dosage, symptom sign, hurt pain ache sore painful, vaccine shot jab
    vaccination
    immunization, treat treatment cure heal therapy, hospital clinic, checkup check-up physical exam, prescription
    script, pharmacy drugstore chemist, pregnant pregnancy expecting, eat consume, cook prepare make, fry saute,
    boil cook, spicy hot, oven bake, freezer freeze frozen, thaw defrost, spoil rotten bad off, leftover remaining,
    substitute replace replacement alternative instead swap, recipe make, vegetarian veggie, soft drink soda,
    water hydrate,
    wash clean rinse launder, stain spot mark, dirty soiled, dry drain, grow plant cultivate, water irrigate,
    prune trim cut,
    bug insect pest, kill exterminate eliminate rid, screen display monitor, laptop notebook computer pc, pc computer,
    usb thumb flash, reboot restart reload, crash freeze hang stuck, slow sluggish lag laggy, backup copy save,
    storage space memory, folder directory, file document, setting preference configuration option, configure
    setup set,
    install setup add, uninstall remove delete, upgrade update, version release, print output, variable var,
    function method procedure, list array, dictionary dict, string text, number numeric, integer int, loop iterate,
    run execute launch start, command cmd, container docker, kubernetes k8s, repository repo, database db, environment
    env, parameter param argument arg, config configuration, directory folder path, delete rm, process task,
    merge combine join, split divide separate, sort order, count number, unique distinct, null none nil, convert
    transform turn change, parse read, write save, sync synchronize, notification alert reminder, subscription
    membership plan, member subscriber, upgrade switch, tier plan level, pass ticket, guest visitor, gym
    fitness club, workout exercise train training, trainer coach instructor, muscle strength, run jog, bike
    bicycle cycle,
    match game, team side, player athlete, score point, coach trainer, season year, watch view, stream play,
    song track
    music, concert show gig, actor star, book novel, author writer, read peruse, library lib, newspaper paper,
    magazine periodical, police cop, court tribunal, judge magistrate, contract agreement, clause term, sue
    litigate, fine
    penalty ticket charge fee, crime offense, vote ballot, election poll, government state, tax levy, license
    licence permit, driver driving, birth born, marriage wedding marry, divorce separation,
    death die decease, inherit inheritance, will testament, name title, surname last-name, address residence,
    house home, garden yard, room bedroom, kitchen cooking, furniture furnishing, light lamp bulb, heat heating
    heater warm,
    ac aircon air-conditioning, window pane, door entrance, key fob, lock secure, leak drip, pipe plumbing,
    electricity power electric, outage blackout, meter gauge, internet broadband web connection net, router
    modem, signal reception
    coverage, data traffic usage, roaming abroad overseas, call dial ring phone, voicemail answer-phone, text
    sms message,
    number digit, carrier provider operator network, sim chip, unlock open, hotspot tether tethering, battery
    charge power, tire tyre
    wheel, brake braking, engine motor, oil lubricant, mechanic garage workshop, repair service maintenance,
    inspection
    check mot, warranty guarantee, mile mileage, park parking, drive driving, speed velocity, traffic congestion,
    fuel gas, accident crash collision, insurance policy cover, claim file submit, submit file hand send upload
    provide,
    deductible excess, premium payment, benefit perk, pension retirement, retire retirement, invest investment,
    stock share,
    loan credit borrow, interest rate, mortgage home-loan, debt owe liability, save saving, budget spending, bank
    branch, account profile, balance fund money, cash money, currency money, check cheque, card plastic,
    transaction payment purchase, charge bill debit, fraud scam, password login credential, security
    safety safe, inbox mailbox, message note, contact reach call, help assist support aid, question query,
    answer reply respond response, complain complaint report, feedback review, rate rating, recommend suggest advise,
    compare contrast, explain describe clarify, summary summarize, translate translation, language tongue, word term,
    sentence phrase, spell write, pronounce say, teach instruct, young youth, old age aged elderly senior,
    minor underage child,
    grandparent elderly, parent guardian, mom mother mum, dad father, husband spouse partner, wife spouse
    partner, friend buddy pal
    mate, neighbor
    neighbour, people person, man male guy, woman female lady, group party, alone solo single yourself myself,
    together joint, share split,
    early soon advance, late delay overdue, deadline due by cutoff latest, expire expiry expiration lapse, valid good,
    duration length long last, schedule timetable hour time, open opening hour, weekday workday, weekend
    saturday, weekend
    sunday, daily day every, weekly week, monthly month, yearly year annual annually, morning am, evening pm,
    always constantly
    continuously, often frequently frequency, once one, twice two, rule policy regulation guideline, law legal
    legally, illegal forbidden, permission authorization, prohibit forbid ban, restrict restriction limit,
    available offer possible provide exist sell stock, possible can able feasible doable, stuff item thing
    product, item product
    article good, product merchandise, size dimension big, length long, height tall high, width wide, depth
    deep, temperature degree
    hot, distance far, area region zone, near close nearby, floor storey level, seat place chair, choose pick select
    selection choice, reserve book reservation booking, room accommodation, guest visitor, tip gratuity,
    menu dish, meal food, breakfast morning, lunch midday, dinner supper, restaurant diner eatery, drink beverage,
    alcohol booze, smoke smoking cigarette, kid-friendly family, wheelchair disabled accessible accessibility,
    board aboard onboard boarding, carry bring take, keep store hold retain, store storage, stick glue adhere,
    soft tender, hard firm,
    taste flavor flavour, smell odor odour, sweet sugary, salt salty, fat grease greasy, burn scorch, mix stir
    blend, chop
    cut dice slice, peel skin, serve serving portion, calorie energy, diet nutrition, healthy nutritious, allergy
    allergic, ingredient contain, safe harmful dangerous, dangerous risky hazardous, risk danger, prevent avoid stop
    protect, protect guard shield, cause reason trigger lead, last endure, spread transmit contagious, test diagnose
    screening, appointment visit booking slot, consult see, refer referral, surgery operation, wound injury cut, bleed
    blood, sleep rest, tired fatigue exhausted, stress anxiety, tooth dental teeth, eye vision, skin
    dermatology dermatologist, heart
    cardiac, mental psychological psychotherapy, therapist counselor psychologist, child pediatric paediatric,
    temporary temporarily, permanent permanently,
    international foreign abroad overseas, domestic national local, public state, private personal, official
    certified, original genuine authentic, copy duplicate, sign signature, print printed, digital electronic
    electronically online e, paper hard, proof evidence document receipt, receipt invoice, identity id identification,
    financial money aid, scholarship grant, transcript record, degree diploma, major program, graduate
    graduation finish complete,
    drop withdraw, absent absence miss, attend attendance go, homework assignment, library reading, campus university,
    total overall all, extra additional more another further, remaining left remain rest remainder balance, only
    just solely merely exclusively, stay remain be is are last, time long, abroad overseas
    foreign country, apply request, liter litre, meter metre, kilometer
    kilometre km, centimeter centimetre cm, millimeter millimetre mm, kilogram kilo kg, pound lb, ounce oz, gram g,
    older senior elderly old, open available, amount total sum, current now present,
    new fresh
    another, used secondhand second-hand, expired outdated, correct right accurate, wrong incorrect mistake
    error, sure certain, begin onset, stop cease halt, keep stay retain remain, throw discard dispose, recycle reuse,
    shrink slim smaller reduce, look search, search find look lookup, hide conceal, show reveal, copy
    duplicate, paste insert,
    undo revert rollback, history log, log record, monitor track watch, track trace follow, notify inform tell alert,
    invite add, join enter, enter input type, exit leave quit, skip miss pass, win victory, lose defeat,
    beginner novice newbie, expert professional pro, teach show, practice exercise, tool equipment gear,
    material fabric,
    paint color, wall surface, hole drill, nail screw, wood wooden timber lumber, metal steel, glue adhesive,
    clean cleaner,
    carpet rug, curtain blind, mattress bed, pillow cushion, towel linen, laundry washing, iron press, sew stitch, fit
    suit size, wear dress, shoe footwear sneaker, shirt top, pants trousers, coat jacket, ring jewelry, watch clock,
    gift present, wrap wrapping, birthday anniversary, party celebration, wedding marriage, invite invitation,
    ceremony
    event, host organize, decorate decoration, candle light, flower bouquet, plant flower, tree bush, soil dirt
    compost,
    seed sow, harvest pick, weather climate, rain rainy, snow snowy, sun sunlight sunny, wind windy, storm
    hurricane, outdoor outside,
    indoor inside, camp camping, hike hiking walk, swim swimming, beach shore, mountain hill, map route, guide tour
    guided, souvenir gift, museum gallery, sightsee visit attraction"""
"""Words that may stand for each other in a rewording."""

ABBREVIATED = """wfh work-home, pto vacation, pto leave, asap soon, eta arrival, faq question, diy yourself, dob
    birth, ssn social-security, id identification, oop out-pocket, rx prescription, otc over-counter, bp
    blood-pressure, er emergency, icu intensive, gp doctor, hr human-resource, ceo chief-executive, qa quality, ui
    interface, os operating, ac air-condition, ac aircon, wifi wireless, tv television, cc credit-card, acct account,
    appt appointment, dept department, mgr manager, govt government, intl international, msg message, pic picture, pw
    password, pwd password, qty quantity, recd received, temp temperature, vs versus, yr year, mo month, wk week, hr
    hour, min minute, tmrw tomorrow, uni university, prof professor, lab laboratory, gym gymnasium, dorm
    dormitory, fridge
    refrigerator, vet veterinarian, meds medication, info information, ad advertisement, exam examination, ppt
    powerpoint, pptx powerpoint, xls excel, xlsx excel, doc word, docx word, ps photoshop, fb facebook, ig instagram,
    insta instagram, yt youtube, vm virtual-machine, amex american-express, mc mastercard, gmail google-mail, nyc
    new-york, la los-angeles, sf san-francisco, approx approximately, est estimated, ref reference, max maximum,
    min minimum, avg average, std standard, spec specification, app application, reg registration, cert certificate,
    cv resume, bday birthday, xmas christmas, veg vegetarian, aka known, k8s
    kubernetes, db database, repo repository, env environment, config configuration, dir directory, js javascript, ts
    typescript, py python, tbsp tablespoon, tsp teaspoon, lb pound, oz ounce, kg kilogram, pt physical, pt personal"""
"""Abbreviations whose letters are not the first letters of the words they stand for."""
